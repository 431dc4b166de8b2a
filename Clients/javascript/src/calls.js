export class Calls { constructor(){ this.store={subscribe:()=>()=>{},getSnapshot:()=>null}; } hear(){} stop(){} }
