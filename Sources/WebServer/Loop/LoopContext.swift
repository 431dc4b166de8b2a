internal import CLinux
internal import CWebSockets
internal import Glibc

/// The loop-confined half of an ``EventLoop``: the C context, what it waits for, its timers, and the end of a turn.
///
/// lws would wait with poll(2), which looks at every connection on every turn: 0.1 ms per thousand, measured. Here
/// epoll waits, and hands each ready descriptor to lws, as lws's own glue to other event libraries does.
final class LoopContext {
    /// The libwebsockets context while the loop serves.
    private(set) var pointer: OpaquePointer?
    private let epoll: Int32
    private let mailbox: LoopMailbox
    private var events = [epoll_event](repeating: epoll_event(), count: 256)
    private var timers = TimerQueue()
    private var turnEnds: [() -> Void] = []
    private var stopped: [() -> Void] = []
    /// When lws is due to look after its own timeouts, which are those of TLS handshakes.
    private var housekeeping: Int64 = 0

    init(mailbox: LoopMailbox) {
        self.mailbox = mailbox
        self.epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        self.watch(mailbox.wakeDescriptor, [.readable], isNew: true)
    }

    deinit { if self.epoll >= 0 { Glibc.close(self.epoll) } }

    /// False when there were no descriptors to build it from.
    var isUsable: Bool { self.epoll >= 0 && self.mailbox.wakeDescriptor >= 0 }

    // MARK: - Waiting

    struct Interest: OptionSet {
        let rawValue: UInt32
        static let readable = Interest(rawValue: 1)
        static let writable = Interest(rawValue: 4)
    }

    /// Waits for this descriptor from now on. Closing it ends that.
    func watch(_ descriptor: Int32, _ interest: Interest, isNew: Bool) {
        var event = epoll_event(events: interest.rawValue, data: epoll_data_t(fd: descriptor))
        _ = epoll_ctl(self.epoll, isNew ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event)
    }

    /// Waits for descriptors, timers or the mailbox, and serves what is ready.
    func serve(mayDoze: Bool) {
        let now = monotonicMilliseconds()
        var wait: Int64 = mayDoze ? 60_000 : 0
        if let due = self.timers.nextDue { wait = max(0, min(wait, due - now)) }
        if self.pointer != nil { wait = max(0, min(wait, self.housekeeping - now)) }
        let count = epoll_wait(self.epoll, &self.events, Int32(self.events.count), Int32(wait))
        for index in 0..<max(0, Int(count)) {
            let event = self.events[index]
            if event.data.fd == self.mailbox.wakeDescriptor {
                self.mailbox.acknowledge()
            } else if let pointer {
                // The bits of epoll are those of poll. Only what was asked for is reported, but for errors.
                let ready = Int16(truncatingIfNeeded: event.events & 0x1f)
                var descriptor = pollfd(fd: event.data.fd, events: ready, revents: ready)
                lws_service_fd(pointer, &descriptor)
            }
        }
        self.keepHouse()
        self.fireTimers()
    }

    private func keepHouse() {
        guard let pointer else { return }
        let now = monotonicMilliseconds()
        // Bytes that OpenSSL has decrypted already make no descriptor readable; lws keeps a list of those.
        guard now >= self.housekeeping || lws_service_adjust_timeout(pointer, 1, 0) == 0 else { return }
        self.housekeeping = now + 1000
        lws_service(pointer, -1)
    }

    // MARK: - Turns

    /// Runs `work` after each turn of the loop: once all that arrived together has been handled. Servers write here,
    /// so that what one turn sent to a socket leaves in one system call.
    func atTurnEnd(_ work: @escaping () -> Void) { self.turnEnds.append(work) }

    func endTurn() { for work in self.turnEnds { work() } }

    // MARK: - Life of the context

    func open(_ pointer: OpaquePointer) { self.pointer = pointer }

    /// Cancels the timers and destroys the context.
    func close() {
        guard let pointer else { return }
        self.timers.removeAll()
        lws_context_destroy(pointer)
        self.pointer = nil
        self.endTurn()
        self.turnEnds = []
        for work in self.stopped { work() }
        self.stopped = []
    }

    func whenStopped(_ work: @escaping () -> Void) {
        if self.pointer == nil { work() } else { self.stopped.append(work) }
    }

    // MARK: - Timers

    func arm(_ id: UInt64, _ delay: Duration, repeats: Bool, _ work: @escaping @Sendable () -> Void) {
        guard self.pointer != nil else { return }
        let (seconds, attoseconds) = delay.components
        // Rounded up: a timer must not run early.
        let milliseconds = max(1, seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
        let due = monotonicMilliseconds() + milliseconds
        self.timers.insert(.init(id: id, due: due, period: repeats ? milliseconds : 0, work: work))
    }

    func disarm(_ id: UInt64) { self.timers.remove(id) }

    private func fireTimers() {
        guard let due = self.timers.nextDue else { return }
        let now = monotonicMilliseconds()
        guard due <= now else { return }
        while let timer = self.timers.takeDue(now) { timer.work() }
    }
}
