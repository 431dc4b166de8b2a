internal import Glibc

/// A Postgres of the test's own, to be killed, stopped and restarted at will. Call `stop` when done.
public struct ThrowawayCluster: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    private let exports: [String: String]

    /// - Parameter installing: install Parley into it.
    public static func start(installing: Bool = false, settings: [String] = []) async throws -> ThrowawayCluster {
        var arguments = ["start", "--fsync"] + settings.flatMap { ["--set", $0] }
        if !installing { arguments.append("--no-install") }
        let output = try await Self.script(arguments, [:])
        var exports: [String: String] = [:]
        for line in output.split(separator: "\n") {
            let parts = line.dropFirst("export ".count).split(separator: "=", maxSplits: 1)
            if parts.count == 2 { exports[String(parts[0])] = String(parts[1].filter { $0 != "'" }) }
        }
        return ThrowawayCluster(exports: exports)
    }

    public func url(_ name: String) throws -> String {
        guard let url = self.exports[name] else { throw TestDatabase.MissingVariable(name: name) }
        return url
    }

    /// SIGKILL to the postmaster and every child, as a crash of the machine would.
    public func kill9() async throws { _ = try await Self.script(["kill9"], self.exports) }
    /// Starts it again after `kill9`; stops it first if it runs.
    public func restart() async throws { _ = try await Self.script(["restart"], self.exports) }
    public func stop() async throws { _ = try await Self.script(["stop"], self.exports) }

    /// Stops one process of the cluster in its tracks, as a hanging machine would.
    public static func freeze(_ process: Int64) throws {
        guard kill(pid_t(process), SIGSTOP) == 0 else { throw Failure(description: "SIGSTOP failed") }
    }

    public static func thaw(_ process: Int64) throws {
        guard kill(pid_t(process), SIGCONT) == 0 else { throw Failure(description: "SIGCONT failed") }
    }

    /// Runs `Tests/support/cluster.sh` and returns what it printed.
    private static func script(_ arguments: [String], _ environment: [String: String]) async throws -> String {
        try await blocking {
            let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
            let command = ["bash", "/\(folder)/support/cluster.sh"] + arguments
            var descriptors: [Int32] = [0, 0]
            guard pipe(&descriptors) == 0 else { throw Failure(description: "pipe failed") }
            defer { close(descriptors[0]) }
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            posix_spawn_file_actions_adddup2(&actions, descriptors[1], STDOUT_FILENO)
            posix_spawn_file_actions_addclose(&actions, descriptors[0])
            posix_spawn_file_actions_addclose(&actions, descriptors[1])

            let variables = Self.inherited(except: environment) + environment.map { "\($0)=\($1)" }
            let argv = command.map { strdup($0) } + [nil]
            let envp = variables.map { strdup($0) } + [nil]
            defer { for string in argv + envp { free(string) } }
            var process: pid_t = 0
            let status = posix_spawnp(&process, "bash", &actions, nil, argv, envp)
            close(descriptors[1])
            guard status == 0 else { throw Failure(description: "bash did not start: \(status)") }

            var output: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = read(descriptors[0], &buffer, buffer.count)
                if count <= 0 { break }
                output += buffer[..<count]
            }
            var code: Int32 = 0
            waitpid(process, &code, 0)
            guard code == 0 else { throw Failure(description: "\(command) failed: \(code)") }
            return String(decoding: output, as: UTF8.self)
        }
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
