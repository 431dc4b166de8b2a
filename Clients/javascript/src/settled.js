// Waits for rest: for tests, and for programs that end when all is done. Loaded with its first use.
export async function settled(core, timeout) {
    const { engine, here, options: { clock }, outbox } = core;
    const limit = clock.now() + timeout;
    // the transport is there once the client has started
    const quiet = () => Boolean(core.transport?.live) && engine.quiet && outbox.idle && here.idle;
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
