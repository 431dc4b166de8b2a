internal import Glibc
internal import PostgresClient

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

    /// Restarts it as a standby and promotes it: a new timeline, as after a failover.
    public func promote() async throws {
        let signal = try self.url("PARLEY_TEST_PGDATA") + "/standby.signal"
        try await blocking {
            let file = open(signal, O_CREAT | O_WRONLY, 0o666)
            guard file >= 0 else { throw Failure(description: "cannot make \(signal)") }
            fchmod(file, 0o666)
            close(file)
        }
        try await self.restart()
        let configuration = PostgresConfiguration(url: try self.url("PARLEY_SUPERUSER_URL"))
        _ = try await blocking {
            try PostgresConnection(configuration).query("select pg_promote()", timeout: .seconds(60))
        }
    }

    /// Lets everybody in from a range of addresses.
    public func trust(_ range: String) async throws {
        let path = try self.url("PARLEY_TEST_PGDATA") + "/pg_hba.conf"
        let configuration = PostgresConfiguration(url: try self.url("PARLEY_SUPERUSER_URL"))
        try await blocking {
            let line = "host all all \(range) trust\n"
            let file = open(path, O_WRONLY | O_APPEND)
            guard file >= 0, write(file, line, line.utf8.count) == line.utf8.count else {
                throw Failure(description: "cannot write \(path)")
            }
            close(file)
            _ = try PostgresConnection(configuration).query("select pg_reload_conf()")
        }
    }

    /// Stops one process of the cluster in its tracks, as a hanging machine would.
    public static func freeze(_ process: Int64) throws {
        guard kill(pid_t(process), SIGSTOP) == 0 else { throw Failure(description: "SIGSTOP failed") }
    }

    public static func thaw(_ process: Int64) throws {
        guard kill(pid_t(process), SIGCONT) == 0 else { throw Failure(description: "SIGCONT failed") }
    }

    /// Runs `Tests/support/cluster.sh` and returns what it printed.
    static func script(_ arguments: [String], _ environment: [String: String]) async throws -> String {
        try await blocking {
            let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
            let command = ["bash", "/\(folder)/support/cluster.sh"] + arguments
            let child = try ChildProcess(command, environment: environment)
            let output = child.readToEnd()
            let code = child.wait()
            guard code == 0 else { throw Failure(description: "\(command) failed: \(code)") }
            return output
        }
    }
}
