internal import FoundationEssentials
internal import Glibc
internal import Support

/// The PostgreSQL server programs of this machine, and the user they run as.
struct ServerBinaries: Sendable {
    let directory: String
    /// Nil: as we are. PostgreSQL refuses to run as root.
    let user: ServerUser?

    /// Looks in the folder given; without one where pg_config points, then in Debian's, the newest version first.
    ///
    /// - Throws: ``CommandError`` that says how to install them.
    static func find(given: String?) async throws -> ServerBinaries {
        var places: [String] = []
        if let given {
            places = [given]
        } else {
            if let outcome = try? await ChildProcess.run("pg_config", "--bindir"), outcome.exit.isSuccess {
                places.append(String(outcome.output.prefix { $0 != "\n" }))
            }
            let root = "/usr/lib/postgresql"
            let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
            places += versions.compactMap { Int($0) }.sorted(by: >).map { "\(root)/\($0)/bin" }
        }
        guard
            let directory = places.first(where: {
                access($0 + "/initdb", X_OK) == 0 && access($0 + "/pg_ctl", X_OK) == 0
            })
        else {
            throw CommandError(
                "no PostgreSQL server programs are found; looked in \(places.joined(separator: ", "))",
                hint: "On Debian: apt-get install postgresql-15. Elsewhere name their folder with --pg-bindir.")
        }
        guard geteuid() == 0 else { return ServerBinaries(directory: directory, user: nil) }
        guard let user = ["postgres", "nobody"].lazy.compactMap({ ServerUser(name: $0) }).first else {
            throw CommandError(
                "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as",
                hint: "Add one with: useradd --system postgres, or run parley dev as an ordinary user.")
        }
        return ServerBinaries(directory: directory, user: user)
    }

    /// Runs one of the programs, or any other, as the server's user.
    func run(_ program: String, _ arguments: [String]) async throws(ChildProcess.StartError) -> ChildProcess.Outcome {
        let path = program.contains("/") ? program : self.directory + "/" + program
        // Our folder may be closed to that user.
        var command = ["env", "--chdir=/"]
        if let user = self.user { command += ["runuser", "-u", user.name, "--"] }
        return try await ChildProcess.run(command + [path] + arguments)
    }
}

/// An account of the system that Postgres may run as.
struct ServerUser: Sendable, Equatable {
    let name: String
    let id: UInt32
    let group: UInt32

    init?(name: String) {
        guard let entry = getpwnam(name) else { return nil }
        self.name = name
        self.id = entry.pointee.pw_uid
        self.group = entry.pointee.pw_gid
    }
}
