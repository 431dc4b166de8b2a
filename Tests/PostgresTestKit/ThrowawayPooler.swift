internal import Glibc
internal import PostgresClient

/// A PgBouncer in transaction mode in front of a test database. Call `stop` when done.
public struct ThrowawayPooler: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// Where clients connect.
    public let url: String
    private let process: ChildProcess
    private let folder: String

    /// - Parameter server: `postgresql://user@host:port/database`; clients become that user.
    public static func start(server: String) async throws -> ThrowawayPooler {
        let (user, host, port, database) = try Self.parts(of: server)
        for _ in 0..<20 {
            let listening = Int.random(in: 20_000..<32_000)
            let folder = "/tmp/\(TestDatabase.uniqueName("parley-pooler"))"
            let file = "\(folder)/pgbouncer.ini"
            let settings = """
                [databases]
                \(database) = host=\(host) port=\(port) dbname=\(database) user=\(user)
                [pgbouncer]
                listen_addr = 127.0.0.1
                listen_port = \(listening)
                unix_socket_dir =
                auth_type = any
                pool_mode = transaction
                default_pool_size = 5

                """
            try await blocking {
                mkdir(folder, 0o755)
                let descriptor = open(file, O_CREAT | O_WRONLY, 0o644)
                guard descriptor >= 0, write(descriptor, settings, settings.utf8.count) == settings.utf8.count else {
                    throw Failure(description: "cannot write \(file)")
                }
                close(descriptor)
            }
            // It refuses to run as root.
            let command = ["pgbouncer", "-q"] + (geteuid() == 0 ? ["-u", "postgres"] : []) + [file]
            let pooler = ThrowawayPooler(
                url: "postgresql://\(user)@127.0.0.1:\(listening)/\(database)", process: try ChildProcess(command),
                folder: folder)
            let configuration = PostgresConfiguration(url: pooler.url, preparedStatements: false)
            // The port may be taken, even by another server that answers; then it has ended.
            let settled = try await eventually {
                if !pooler.process.isRunning { return true }
                return try await blocking { (try? PostgresConnection(configuration).query("select 1")) != nil }
            }
            if settled, pooler.process.isRunning { return pooler }
            try await pooler.stop()
        }
        throw Failure(description: "pgbouncer did not start")
    }

    public func stop() async throws {
        try await blocking {
            self.process.terminate()
            _ = self.process.readToEnd()
            _ = self.process.wait()
            unlink("\(self.folder)/pgbouncer.ini")
            rmdir(self.folder)
        }
    }

    private static func parts(of url: String) throws -> (user: String, host: String, port: String, database: String) {
        let parts = url.split(whereSeparator: { ":/@".contains($0) }).map(String.init)
        guard parts.count == 5 else { throw Failure(description: "not postgresql://user@host:port/database") }
        return (parts[1], parts[2], parts[3], parts[4])
    }
}
