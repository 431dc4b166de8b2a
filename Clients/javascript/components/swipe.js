// A finger that draws a message inwards answers it.

const ENOUGH = 56;

/**
 * @param {HTMLElement} list
 * @param {(event: Event) => any} rowAt the row of an event
 * @param {(row: any) => void} done called when a row was drawn far enough
 */
export function onSwipe(list, rowAt, done) {
    let row = null;
    let start = 0;
    let way = 0;
    const end = (event) => {
        if (!row) return;
        const [drawn, far] = [row, Math.abs(way) >= ENOUGH && event.type === "pointerup"];
        row = null;
        drawn.style.transform = "";
        if (far) done(drawn);
    };
    list.addEventListener("pointerdown", (event) => {
        const at = event.pointerType === "touch" ? rowAt(event) : null;
        row = at?.message && !at.classList.contains("system") ? at : null;
        start = event.clientX;
        way = 0;
    });
    list.addEventListener("pointermove", (event) => {
        if (!row) return;
        // The others' messages lie at the start of the line, and are drawn towards its end; one's own the other way.
        const inwards = (getComputedStyle(list).direction === "rtl") === row.classList.contains("own") ? 1 : -1;
        way = Math.max(0, Math.min(ENOUGH + 16, (event.clientX - start) * inwards)) * inwards;
        row.style.transform = Math.abs(way) > 8 ? `translateX(${way}px)` : "";
    });
    for (const name of ["pointerup", "pointercancel"]) list.addEventListener(name, end);
}
