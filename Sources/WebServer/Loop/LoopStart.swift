internal import CLinux
internal import CWebSockets
internal import Glibc
internal import Support

/// Everything the loop's thread takes with it when it starts. It holds no reference to the ``EventLoop``, so the loop
/// can end while its thread runs.
final class LoopStart: Sendable {
    private let name: String
    private let tls: Bool
    private let mailbox: LoopMailbox
    private let thread: LoopThread
    private let confined: LoopBound<LoopContext>
    private let ready: Locked<Bool?>

    init(
        name: String, tls: Bool, mailbox: LoopMailbox, thread: LoopThread, confined: LoopBound<LoopContext>,
        ready: Locked<Bool?>
    ) {
        self.name = name
        self.tls = tls
        self.mailbox = mailbox
        self.thread = thread
        self.confined = confined
        self.ready = ready
    }

    /// Starts the thread and waits until its context stands.
    func launch() -> Bool {
        let done = Gate()
        let argument = Unmanaged.passRetained(LoopLaunch(start: self, done: done))
        // Signals are for the main thread: the loop's thread inherits a full mask.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var handle = pthread_t()
        guard pthread_create(&handle, nil, loopThunk, argument.toOpaque()) == 0 else {
            argument.release()
            return false
        }
        pthread_detach(handle)
        done.pass()
        return self.ready.withLock { $0 } ?? false
    }

    /// The whole life of the loop's thread.
    fileprivate func run(done: Gate) {
        self.thread.adopt()
        clinux_name_thread(self.name)
        let context = self.confined.onLoop
        let pointer = context.isUsable ? makeContext(tls: self.tls) : nil
        if let pointer { context.open(pointer) }
        self.ready.withLock { $0 = pointer != nil }
        done.open()
        guard pointer != nil else { return }
        while self.turn(context) { context.serve(mayDoze: self.mailbox.mayDoze()) }
    }

    /// Runs what waits, and what that posts, for a bounded number of rounds so that sockets get their share.
    /// - Returns: false when the thread is to end. A stopped loop destroys its context, but still runs jobs.
    private func turn(_ context: LoopContext) -> Bool {
        for _ in 0..<16 {
            let errand = self.mailbox.take()
            for job in errand.jobs { Self.run(job) }
            if errand.stopping { context.close() }
            if errand.jobs.isEmpty {
                if errand.abandoned { return false }
                break
            }
        }
        context.endTurn()
        return true
    }

    private static func run(_ job: LoopMailbox.Job) {
        switch job {
        case .actor(let job, let loop): job.runSynchronously(on: loop.asUnownedSerialExecutor())
        case .closure(let work): work()
        }
    }
}

private final class LoopLaunch: Sendable {
    let start: LoopStart
    let done: Gate

    init(start: LoopStart, done: Gate) {
        self.start = start
        self.done = done
    }
}

/// Entry of the loop's thread; takes over the one reference that `launch` retained.
private func loopThunk(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let launch = Unmanaged<LoopLaunch>.fromOpaque(argument).takeRetainedValue()
    launch.start.run(done: launch.done)
    return nil
}

private func makeContext(tls: Bool) -> OpaquePointer? {
    lws_set_log_level(0, nil)
    var info = lws_context_creation_info()
    info.port = Int32(CWS_NO_LISTEN)
    info.options = cws_context_options(tls ? 1 : 0)
    info.pt_serv_buf_size = UInt32(LoopLimits.readBytes)
    return lws_create_context(&info)
}

/// Sizes shared by everything on a loop.
enum LoopLimits {
    /// Bytes read from one socket at a time; one buffer of this size serves all sockets.
    static let readBytes = 32 * 1024
    /// Bytes written to one socket at a time; one buffer of this size serves all sockets.
    static let writeBytes = 128 * 1024
}
