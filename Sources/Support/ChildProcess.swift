internal import Glibc

/// A program started by this one.
public struct ChildProcess: Sendable {
    /// How a program ended.
    public struct Exit: Sendable, Equatable, CustomStringConvertible {
        /// The exit code; 128 plus the signal's number for a program that was killed.
        public let code: Int32
        public var isSuccess: Bool { self.code == 0 }
        public var description: String { self.code >= 128 ? "signal \(self.code - 128)" : "exit code \(self.code)" }
    }

    /// What a finished program wrote and how it ended.
    public struct Outcome: Sendable {
        public let exit: Exit
        /// Standard output and standard error together, at most ``ChildProcess/longestOutput`` bytes of it.
        public let output: String
    }

    /// The program cannot be started.
    public struct StartError: Error, Sendable, CustomStringConvertible {
        public let program: String
        public let reason: String
        public var description: String { "\(self.program) cannot be started: \(self.reason)" }
    }

    public static let longestOutput = 64 * 1024

    public let pid: Int32

    /// Starts a program with the environment of this one, default signal handling and standard input from /dev/null.
    ///
    /// - Parameters:
    ///   - arguments: the program (looked up in PATH if it has no slash), then its arguments.
    ///   - output: descriptor for standard output and standard error; nil inherits both.
    private static func spawn(_ arguments: [String], output: Int32?) throws(StartError) -> ChildProcess {
        let program = arguments.first ?? ""
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
            posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The child must not inherit that we ignore signals, nor a blocked mask, nor our terminal's Ctrl-C.
        var all = sigset_t()
        sigfillset(&all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

        let copies = arguments.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, program, &actions, &attributes, copies + [nil], environ)
        guard result == 0 else { throw StartError(program: program, reason: String(cString: strerror(result))) }
        return ChildProcess(pid: pid)
    }

    /// Runs a program to its end.
    ///
    /// - Throws: ``StartError``; a program that fails is an outcome.
    public static func run(_ arguments: String...) async throws(StartError) -> Outcome {
        try await self.run(arguments)
    }

    /// Runs a program to its end.
    public static func run(_ arguments: [String]) async throws(StartError) -> Outcome {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            throw StartError(program: arguments.first ?? "", reason: String(cString: strerror(errno)))
        }
        let (reading, writing) = (ends[0], ends[1])
        // Other children must not hold them open.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let child: ChildProcess
        do {
            child = try self.spawn(arguments, output: writing)
            close(writing)
        } catch {
            close(reading)
            close(writing)
            throw error
        }
        return await withCheckedContinuation { continuation in
            // Reading and waiting block, so they get a thread of their own.
            Self.onThread {
                var bytes: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 4096)
                var exit: Exit?
                // Until the program has ended: a daemon it leaves behind may keep the pipe open.
                while exit == nil {
                    exit = child.exitIfEnded()
                    while Self.hasInput(reading, milliseconds: exit == nil ? 50 : 0) {
                        let count = read(reading, &buffer, buffer.count)
                        guard count > 0 else { break }
                        bytes += buffer[..<min(count, max(0, Self.longestOutput - bytes.count))]
                    }
                    if exit == nil { usleep(2000) }
                }
                close(reading)
                let outcome = Outcome(exit: exit ?? Exit(code: 1), output: String(decoding: bytes, as: UTF8.self))
                continuation.resume(returning: outcome)
            }
        }
    }

    private func exitIfEnded() -> Exit? {
        var status: Int32 = 0
        guard waitpid(self.pid, &status, WNOHANG) == self.pid else { return nil }
        let signal = status & 0x7f
        return Exit(code: signal == 0 ? (status >> 8) & 0xff : 128 + signal)
    }

    private static func hasInput(_ descriptor: Int32, milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) == 1 && entry.revents & Int16(POLLIN) != 0
    }

    private static func onThread(_ body: @escaping @Sendable () -> Void) {
        final class Box: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        var thread = pthread_t()
        // The thread takes over this reference.
        let box = Unmanaged.passRetained(Box(body))
        let result = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body() }
                return nil
            }, box.toOpaque())
        precondition(result == 0, "no thread can be made")
        pthread_detach(thread)
    }
}
