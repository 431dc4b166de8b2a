// Waits for rest: for tests, and for programs that end when all is done. Loaded with its first use.
export async function settled({ clock, engine, here, outbox, transport }, timeout) {
    const limit = clock.now() + timeout;
    const quiet = () => Boolean(transport?.live) && engine.quiet && outbox.idle && here.idle;
    for (;;) {
        here.flush();
        if (quiet()) {
            await engine.sync().catch(() => {});
            if (quiet()) return;
        }
        if (clock.now() > limit) throw new Error(`Not at rest after ${timeout} ms.`);
        await new Promise((resolve) => clock.setTimeout(resolve, 40));
    }
}
