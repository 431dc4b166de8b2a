internal import CLinux
internal import Glibc

/// Threads for code that waits in C: the cooperative pool of Swift concurrency must never block.
enum PosixThread {
    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a detached thread that runs `body` once, with all signals blocked: they belong to the main program.
    ///
    /// - Parameter name: at most 15 bytes are shown by the system.
    /// - Returns: false if the system has no thread left; `body` then never runs.
    static func spawn(name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
        var everything = sigset_t()
        var before = sigset_t()
        sigfillset(&everything)
        pthread_sigmask(SIG_SETMASK, &everything, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }

        // The thread takes over this reference; if there is no thread it is given back below.
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let status = pthread_create(&thread, &attributes, { PosixThread.main($0) }, start.toOpaque())
        if status != 0 { start.release() }
        return status == 0
    }

    /// Thunk. Thread: the new one. `argument` is a retained `Start`, consumed here.
    private static func main(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        guard let argument else { return nil }
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()

        clinux_name_thread(start.name)
        start.body()
        return nil
    }
}
