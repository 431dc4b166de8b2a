internal import CWebSockets
internal import Glibc

/// The loop-confined half of an ``EventLoop``: the C context, its timers, and what happens at the end of a turn.
final class LoopContext {
    /// The libwebsockets context while the loop serves.
    private(set) var pointer: OpaquePointer?
    private let mailbox: LoopMailbox
    private var timers: [UInt64: ArmedTimer] = [:]
    private var turnEnds: [() -> Void] = []
    private var stopped: [() -> Void] = []

    init(mailbox: LoopMailbox) { self.mailbox = mailbox }

    /// Runs `work` after each turn of the loop: once all that arrived together has been handled. Servers write here,
    /// so that what one turn sent to a socket leaves in one system call.
    func atTurnEnd(_ work: @escaping () -> Void) { self.turnEnds.append(work) }

    func endTurn() { for work in self.turnEnds { work() } }

    func whenStopped(_ work: @escaping () -> Void) {
        if self.pointer == nil { work() } else { self.stopped.append(work) }
    }

    // MARK: - Life of the context

    func open(_ pointer: OpaquePointer) { self.pointer = pointer }

    /// Cancels the timers and destroys the context.
    func close() {
        for armed in self.timers.values { armed.free() }
        self.timers = [:]
        if let pointer = self.pointer { lws_context_destroy(pointer) }
        self.pointer = nil
        self.endTurn()
        self.turnEnds = []
        for work in self.stopped { work() }
        self.stopped = []
    }

    // MARK: - Timers

    func arm(_ id: UInt64, _ delay: Duration, repeats: Bool, _ work: @escaping @Sendable () -> Void) {
        guard let pointer = self.pointer else { return }
        let armed = ArmedTimer(id, delay, repeats: repeats, context: self, work)
        self.timers[id] = armed
        armed.set(in: pointer)
    }

    func disarm(_ id: UInt64) { self.timers.removeValue(forKey: id)?.free() }

    fileprivate func fire(_ armed: ArmedTimer) {
        if armed.repeats, let pointer = self.pointer { armed.set(in: pointer) } else { self.disarm(armed.id) }
        armed.work()
        // Timers run before the wait of a service call: what they sent or posted must not sit through that wait.
        self.endTurn()
        self.mailbox.nudgeIfPending()
    }
}

/// A timer in the context's sorted list, with the C memory that the list links. It owns the work, so that a cancelled
/// timer keeps nothing alive.
private final class ArmedTimer {
    let id: UInt64
    let repeats: Bool
    let work: @Sendable () -> Void
    private let microseconds: Int64
    private unowned let context: LoopContext
    private let node: UnsafeMutablePointer<cws_timer>

    init(
        _ id: UInt64, _ delay: Duration, repeats: Bool, context: LoopContext, _ work: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.repeats = repeats
        self.work = work
        self.context = context
        let (seconds, attoseconds) = delay.components
        // At least one: lws reads 0 as "never".
        self.microseconds = max(1, seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
        self.node = .allocate(capacity: 1)
        self.node.initialize(to: cws_timer())
        self.node.pointee.owner = Unmanaged.passUnretained(self).toOpaque()
    }

    func set(in pointer: OpaquePointer) {
        self.node.withMemoryRebound(to: lws_sorted_usec_list_t.self, capacity: 1) { sul in
            lws_sul_schedule(pointer, 0, sul, timerThunk, self.microseconds)
        }
    }

    /// Takes it out of the list. The caller drops the last reference after this.
    func free() {
        self.node.withMemoryRebound(to: lws_sorted_usec_list_t.self, capacity: 1) { sul in lws_sul_cancel(sul) }
    }

    func fire() { self.context.fire(self) }

    deinit { self.node.deallocate() }
}

/// lws calls this on the loop's thread from within a service call, once per armed timer, with the node out of its list.
/// The node is alive: only `disarm` and `close` free it, both on this thread, and both cancel it first.
private func timerThunk(_ sul: UnsafeMutablePointer<lws_sorted_usec_list_t>?) {
    guard let sul else { return }
    let owner = UnsafeMutableRawPointer(sul).assumingMemoryBound(to: cws_timer.self).pointee.owner
    guard let owner else { return }
    Unmanaged<ArmedTimer>.fromOpaque(owner).takeUnretainedValue().fire()
}
