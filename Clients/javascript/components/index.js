// The components: <parley-inbox>, <parley-thread>, <parley-composer>. Give them a client with useParley(createParley(...)).
export { ParleyElement, useParley } from "./element.js";
export { ParleyInbox } from "./inbox.js";
export { ParleyThread } from "./thread.js";
export { ParleyComposer } from "./composer.js";
export { setStrings } from "./strings.js";
export { endPush, notifyWhileHidden, renewPush, usePushWorker } from "./push.js";
