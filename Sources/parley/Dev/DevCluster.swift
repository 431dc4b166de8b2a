internal import FoundationEssentials
internal import Glibc
internal import Support

/// The private Postgres cluster of a project: made, found, started and stopped with the server's own programs.
///
/// The server is a daemon, no child of ours: it outlives a kill of `parley dev`, and the next one finds it.
struct DevCluster: Sendable {
    private let binaries: ServerBinaries
    /// The folder that holds `data` and `log`; belongs to the server's user.
    private let home: String
    private var data: String { self.home + "/data" }

    var log: String { self.home + "/log" }

    /// Opens the folder's cluster, or makes one.
    ///
    /// - Parameter making: called before a new one is made, which takes some seconds.
    static func open(
        _ folder: ProjectFolder, _ binaries: ServerBinaries, password: String, making: () -> Void
    ) async throws -> DevCluster {
        let home = try await self.home(folder, binaries)
        let cluster = DevCluster(binaries: binaries, home: home)
        if access(cluster.data + "/PG_VERSION", F_OK) != 0 {
            making()
            try await cluster.make(password: password)
        }
        try cluster.checkVersion(await cluster.programVersion())
        return cluster
    }

    // MARK: - Where it is

    /// `.parley/pg`, or a folder in /var/tmp with a link to it where the server's user cannot enter the project, or the
    /// project's path has characters that mean something to the shell of pg_ctl or to postgresql.conf.
    private static func home(_ folder: ProjectFolder, _ binaries: ServerBinaries) async throws -> String {
        let inside = folder.cluster
        if let resolved = realpath(inside, nil) {
            defer { free(resolved) }
            return String(cString: resolved)
        }
        // A link whose target is gone, for example because somebody cleaned /var/tmp.
        unlink(inside)
        try self.makeFolder(inside, for: binaries.user)
        let isUsable = try await binaries.run("/usr/bin/test", ["-w", inside]).exit.isSuccess
        if isUsable, self.isPlain(inside) { return inside }
        rmdir(inside)
        let outside = "/var/tmp/parley-" + self.shortName(of: folder.path)
        try self.makeFolder(outside, for: binaries.user)
        guard symlink(outside, inside) == 0 else { throw CommandError("'\(inside)' cannot be made") }
        return outside
    }

    private static func isPlain(_ path: String) -> Bool {
        path.utf8.allSatisfy { $0 >= 0x20 && !"'\"\\,$`".utf8.contains($0) }
    }
    /// Makes a folder that only the server's user enters. One that exists must be of that user: /var/tmp is everybody's.
    private static func makeFolder(_ path: String, for user: ServerUser?) throws(CommandError) {
        if mkdir(path, 0o700) == 0 {
            guard let user else { return }
            if chown(path, user.id, user.group) == 0 { return }
        } else if errno == EEXIST {
            var status = stat()
            if lstat(path, &status) == 0, status.st_uid == user?.id ?? geteuid(), status.st_mode & S_IFMT == S_IFDIR {
                return
            }
            throw CommandError("'\(path)' exists and belongs to somebody else", hint: "Remove it or ask its owner to.")
        }
        throw CommandError("'\(path)' cannot be made: \(String(cString: strerror(errno)))")
    }

    /// FNV-1a of a path, 16 hexadecimal digits.
    private static func shortName(of path: String) -> String {
        let hash = path.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let text = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    // MARK: - Making

    private func make(password: String) async throws {
        // Under another name until it is whole: a killed initdb leaves half of one.
        let unfinished = self.home + "/data.new"
        let passwordFile = self.home + "/password"
        try? FileManager.default.removeItem(atPath: unfinished)
        try DevFile.write(Array(password.utf8), to: passwordFile)
        defer { unlink(passwordFile) }
        if let user = self.binaries.user { lchown(passwordFile, user.id, user.group) }
        let outcome = try await self.binaries.run(
            "initdb",
            [
                "-D", unfinished, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", passwordFile, "-E", "UTF8",
                "--locale=C.UTF-8",
            ])
        guard outcome.exit.isSuccess else {
            throw CommandError("initdb failed (\(outcome.exit)): \(outcome.output)")
        }
        // A socket path may have 107 bytes; without one there is still 127.0.0.1.
        let socket = self.home.utf8.count < 80 ? self.home : ""
        let settings = """

            # Made by parley dev. The port is given when the server is started.
            listen_addresses = '127.0.0.1'
            unix_socket_directories = '\(socket)'
            fsync = on
            synchronous_commit = on
            max_connections = 300
            max_wal_size = '2GB'

            """
        let file = unfinished + "/postgresql.conf"
        guard let handle = fopen(file, "a") else { throw CommandError("'\(file)' cannot be written") }
        let isWritten = fputs(settings, handle) >= 0
        guard fclose(handle) == 0, isWritten, rename(unfinished, self.data) == 0 else {
            throw CommandError("'\(self.data)' cannot be made: \(String(cString: strerror(errno)))")
        }
    }

    private func programVersion() async throws -> String {
        try await self.binaries.run("postgres", ["--version"]).output
    }

    private func checkVersion(_ program: String) throws(CommandError) {
        let version = FileText.string(of: self.data + "/PG_VERSION")?.prefix { $0.isNumber }
        guard let version, program.contains(") \(version).") || program.contains(") \(version)") else {
            throw CommandError(
                "the cluster in \(self.home) is of PostgreSQL \(version ?? "?"), the programs found are \(program)",
                hint: "Name the folder of the other programs with --pg-bindir, or remove .parley with all its data.")
        }
    }

    // MARK: - Running

    /// The port it listens on; nil if it is not running.
    var port: Int? {
        guard let lines = self.lockFile, lines.count > 3, let pid = Int(lines[0]), self.isServer(pid) else {
            return nil
        }
        return Int(lines[3].prefix { $0.isNumber })
    }

    /// Starts it, if it is not running, and returns its port.
    ///
    /// - Parameter fixedPort: the only port that will do, because clients know it already; nil takes the one it had the
    ///   last time, or a free one.
    func start(on fixedPort: Int? = nil) async throws -> Int {
        if let port = self.port, try await self.isReady() { return port }
        self.removeLockOfZombie()
        var failure = ""
        var wanted = self.lastPort
        for _ in 0..<10 {
            let port = fixedPort ?? wanted.flatMap { self.isFree($0) ? $0 : nil } ?? self.freePort()
            wanted = nil
            let outcome = try await self.binaries.run(
                "pg_ctl", ["-D", self.data, "-l", self.log, "-w", "-t", "120", "-o", "-p \(port)", "start"])
            if outcome.exit.isSuccess {
                try? DevFile.write(Array("\(port)".utf8), to: self.home + "/port")
                return port
            }
            failure = self.endOfLog
            // Somebody else took the port meanwhile: try another.
            guard fixedPort == nil, failure.contains("Address already in use") else { break }
        }
        throw CommandError("Postgres does not start; the end of \(self.log):\n\(failure)")
    }

    /// Stops it in good order. Does nothing if it is not running.
    func stop() async throws {
        guard self.port != nil else { return }
        let outcome = try await self.binaries.run("pg_ctl", ["-D", self.data, "-m", "fast", "-w", "-t", "60", "stop"])
        guard outcome.exit.isSuccess else { throw CommandError("Postgres does not stop: \(outcome.output)") }
    }

    private func isReady() async throws -> Bool {
        try await self.binaries.run("pg_ctl", ["-D", self.data, "status"]).exit.isSuccess
    }

    private var lockFile: [Substring]? {
        FileText.string(of: self.data + "/postmaster.pid")?.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// Whether the process is a server of this very folder. The number alone may be another process's by now.
    private func isServer(_ pid: Int) -> Bool {
        guard !self.isZombie(pid), let command = FileText.string(of: "/proc/\(pid)/cmdline") else { return false }
        return command.split(separator: "\0").contains { $0 == self.data }
    }

    private func isZombie(_ pid: Int) -> Bool {
        // The name in parentheses may hold anything; the state follows the last one.
        FileText.string(of: "/proc/\(pid)/stat")?.split(separator: ")").last?.hasPrefix(" Z") == true
    }

    /// A killed server that nobody has reaped passes for a running one with Postgres, which then does not start.
    private func removeLockOfZombie() {
        guard let first = self.lockFile?.first, let pid = Int(first), self.isZombie(pid) else { return }
        unlink(self.data + "/postmaster.pid")
    }

    private var lastPort: Int? {
        FileText.string(of: self.home + "/port").flatMap { Int($0) }
    }

    private var endOfLog: String { FileText.end(of: self.log, count: 2000) }

    private func isFree(_ port: Int) -> Bool { self.bound(port) != nil }

    private func freePort() -> Int { self.bound(0) ?? 5432 }

    /// The port that a socket on 127.0.0.1 gets when it asks for this one; nil if it is taken.
    private func bound(_ port: Int) -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // As Postgres does: connections that have just ended do not count.
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        return isBound ? Int(in_port_t(bigEndian: address.sin_port)) : nil
    }
}
