internal import Dispatch
internal import Glibc

/// A program started by a test, its standard output on a pipe.
struct ChildProcess: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private static let starting = DispatchSemaphore(value: 1)

    let id: pid_t
    private let output: Int32

    /// - Parameter environment: added to the test's own.
    init(_ command: [String], environment: [String: String] = [:]) throws {
        var descriptors: [Int32] = [0, 0]
        // One at a time, and closed on exec: a program started meanwhile would inherit the pipe and keep it open.
        Self.starting.wait()
        defer { Self.starting.signal() }
        guard pipe(&descriptors) == 0 else { throw Failure(description: "pipe failed") }
        for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        defer { close(descriptors[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, descriptors[1], STDOUT_FILENO)
        // The threads of a queue block signals, and a child inherits that: it could not be ended.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var nothing = sigset_t()
        sigemptyset(&nothing)
        posix_spawnattr_setsigmask(&attributes, &nothing)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        let variables = Self.inherited(except: environment) + environment.map { "\($0)=\($1)" }
        let argv = command.map { strdup($0) } + [nil]
        let envp = variables.map { strdup($0) } + [nil]
        defer { for string in argv + envp { free(string) } }
        var process: pid_t = 0
        let status = posix_spawnp(&process, command[0], &actions, &attributes, argv, envp)
        guard status == 0 else {
            close(descriptors[0])
            throw Failure(description: "\(command[0]) did not start: \(status)")
        }
        self.id = process
        self.output = descriptors[0]
    }

    /// Everything it prints, until it closes its output; only once.
    func readToEnd() -> String {
        defer { close(self.output) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(self.output, &buffer, buffer.count)
            if count <= 0 { return String(decoding: text, as: UTF8.self) }
            text += buffer[..<count]
        }
    }

    /// False once it has ended; `wait` still tells how.
    var isRunning: Bool {
        var info = siginfo_t()
        return waitid(P_PID, id_t(self.id), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_signo == 0
    }

    func terminate() { kill(self.id, SIGTERM) }

    /// Its exit code, or 128 and the signal that ended it.
    func wait() -> Int32 {
        var status: Int32 = 0
        waitpid(self.id, &status, 0)
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }

    private static func inherited(except replaced: [String: String]) -> [String] {
        var variables: [String] = []
        var next = environ
        while let entry = next.pointee {
            let variable = String(cString: entry)
            let name = variable.prefix { $0 != "=" }
            if replaced[String(name)] == nil { variables.append(variable) }
            next += 1
        }
        return variables
    }
}
