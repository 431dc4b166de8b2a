internal import Glibc
internal import Support

/// One thread that owns a libwebsockets context: it waits for sockets, timers and posted work, and runs them in turn.
///
/// It is a `SerialExecutor`: an actor that returns it from `unownedExecutor` runs on this thread, and can be entered
/// synchronously from a ``ServerHandler`` call with `assumeIsolated`. The actor must hold the loop strongly.
/// After the last owner is gone the thread ends by itself.
public final class EventLoop: SerialExecutor, Sendable {
    let thread: LoopThread
    private let mailbox: LoopMailbox
    private let confined: LoopBound<LoopContext>

    /// Starts the thread and its context.
    ///
    /// - Parameters:
    ///   - name: the thread's name as `ps -L` shows it, 15 bytes at most.
    ///   - tls: prepares OpenSSL; needed when a server with a certificate runs on this loop.
    /// - Throws: ``WebServerError`` with code `loopFailed` when the thread or the context cannot be made.
    /// - Note: it raises the soft limit of open files to the hard one, because the context reads it once, here.
    public init(name: String = "parley-loop", tls: Bool = false) throws(WebServerError) {
        let thread = LoopThread()
        let mailbox = LoopMailbox()
        let context = LoopContext(mailbox: mailbox)
        self.thread = thread
        self.mailbox = mailbox
        self.confined = LoopBound(context, thread: thread)
        raiseOpenFileLimit()
        let start = LoopStart(
            name: name, tls: tls, mailbox: mailbox, thread: thread, confined: self.confined, ready: Locked(nil))
        guard start.launch() else {
            throw WebServerError(.loopFailed, "the event loop's thread or libwebsockets context could not be made")
        }
    }

    deinit { self.mailbox.abandon() }

    // MARK: - Work

    /// Runs `work` on the loop's thread, after everything posted before it. Any thread; wakes the loop once per burst.
    public func execute(_ work: @escaping @Sendable () -> Void) { self.mailbox.post(.closure(work)) }

    /// Runs `work` on the loop's thread every `period`, first after one period, until the timer is cancelled or the
    /// loop is shut down. A late run is not made up for.
    @discardableResult
    public func schedule(every period: Duration, _ work: @escaping @Sendable () -> Void) -> LoopTimer {
        self.arm(period, repeats: true, work)
    }

    /// Runs `work` on the loop's thread once, after `delay`, unless the timer is cancelled or the loop is shut down.
    @discardableResult
    public func schedule(after delay: Duration, _ work: @escaping @Sendable () -> Void) -> LoopTimer {
        self.arm(delay, repeats: false, work)
    }

    private func arm(_ delay: Duration, repeats: Bool, _ work: @escaping @Sendable () -> Void) -> LoopTimer {
        let timer = LoopTimer(loop: self)
        let confined = self.confined
        self.execute { [id = timer.id] in confined.onLoop.arm(id, delay, repeats: repeats, work) }
        return timer
    }

    func cancel(_ timer: UInt64) {
        let confined = self.confined
        self.execute { confined.onLoop.disarm(timer) }
    }

    /// True on the loop's thread.
    public var isCurrent: Bool { self.thread.isCurrent }

    /// Leaves the service loop and destroys the context; servers on it must be shut down before. Posted work and
    /// actors of this loop still run afterwards, timers do not.
    public func shutdown() async {
        await withCheckedContinuation { continuation in
            let confined = self.confined
            self.execute { confined.onLoop.whenStopped { continuation.resume() } }
            self.mailbox.stop()
        }
    }

    /// Runs `work` on the loop and waits for its result. Not for the cooperative pool's hot paths: it blocks.
    func wait<Result: Sendable>(_ work: @escaping @Sendable () -> Result) -> Result {
        if self.isCurrent { return work() }
        let result = Locked<Result?>(nil)
        let done = Gate()
        self.execute {
            let value = work()
            result.withLock { $0 = value }
            done.open()
        }
        done.pass()
        guard let value = result.withLock({ $0 }) else { fatalError("the event loop answered without a result") }
        return value
    }

    /// The state of the loop that its servers build on. Loop thread only.
    var context: LoopContext { self.confined.onLoop }

    // MARK: - SerialExecutor

    public func enqueue(_ job: consuming ExecutorJob) { self.mailbox.post(.actor(UnownedJob(job), on: self)) }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    public func isIsolatingCurrentContext() -> Bool? { self.thread.isCurrent }

    public func checkIsolated() {
        guard self.thread.isCurrent else {
            fatalError("an actor of this event loop was entered from another thread; use await or EventLoop.execute")
        }
    }
}

/// The context takes its table of descriptors from the soft limit, which many systems leave at 1,024.
private func raiseOpenFileLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else {
        return
    }
    // A hard limit of "everything" would make lws allocate a table for it.
    limit.rlim_cur = min(limit.rlim_max, 1 << 20)
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
