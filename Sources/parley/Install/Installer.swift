internal import Crypto
internal import PostgresClient

/// Installs Parley into a database or upgrades it: what `psql -f sql/install.sql` does, from the same files, in one
/// transaction.
struct Installer {
    /// Statements that build an index may take long; nobody waits for a lock longer than bootstrap.sql allows.
    private static let longestScript = Duration.seconds(3600)

    /// For a table that is in use.
    private static let longestWait = Duration.seconds(30)

    struct Outcome {
        /// Names of the migrations applied.
        var applied: [String]
        /// The closing line of the installation: release and result.
        var summary: String
    }

    private let directory: SQLDirectory
    private let manifest: Manifest

    init(_ directory: SQLDirectory) throws(CommandError) {
        self.directory = directory
        self.manifest = try Manifest(directory.read("manifest.sql"))
    }

    /// - Parameter progress: told the name of each migration before it is applied.
    /// - Throws: ``CommandError`` or `PostgresError`; then nothing has changed.
    func install(into url: String, progress: (String) -> Void) throws -> Outcome {
        let connection = try PostgresConnection(
            PostgresConfiguration(url: url, applicationName: "parley migrate"), queryTimeout: .seconds(60))
        // Also rolls back whatever an error leaves.
        defer { connection.close() }
        try self.run(connection, "begin isolation level read committed; set local client_min_messages = warning")
        let extended = try connection.query("select 1 from pg_catalog.pg_extension where extname = 'parley'")
        guard extended.rows.isEmpty else {
            throw CommandError(
                "this database uses the extension door",
                hint: "After make install on its server: alter extension parley update; select parley_ext.migrate(); "
                    + "or: drop extension parley, which leaves all data in place.")
        }
        try self.apply("bootstrap.sql", connection)
        let applied = try self.migrate(connection, progress)
        for file in self.manifest.repeatables { try self.apply(file, connection) }
        try self.apply("finish.sql", connection)
        let summary = try connection.query("select current_setting('parley.result')").rows.first?.string(0) ?? ""
        try self.run(connection, "notify pgrst, 'reload schema'; commit")
        return Outcome(applied: applied, summary: summary)
    }

    private func migrate(_ connection: PostgresConnection, _ progress: (String) -> Void) throws -> [String] {
        let ledger = try connection.query("select version, name, sha256 from parley.migration")
        var known: [Int: (String?, String?)] = [:]
        for row in ledger.rows { known[Int(row.int64("version") ?? 0)] = (row.string("name"), row.string("sha256")) }
        if let ahead = known.filter({ $0.key > self.manifest.newest }).max(by: { $0.key < $1.key })?.value.0 {
            throw CommandError(
                "this database was installed by a newer Parley (migration \(ahead))",
                hint: "Install with the files of that release or a later one; downgrades are not supported.")
        }
        var applied: [String] = []
        for migration in self.manifest.migrations {
            let text = try self.directory.read(migration.file)
            guard SHA256.hex(Array(text.utf8)) == migration.sha256 else {
                throw CommandError(
                    "sql/\(migration.file) is not the file of manifest.sql",
                    hint: "Restore both from the release, or run scripts/manifest.sh after editing a new migration.")
            }
            if let row = known[migration.version] {
                guard row == (migration.name, migration.sha256) else {
                    throw CommandError(
                        "sql/\(migration.file) was changed after it had been applied",
                        hint: "Applied migrations are frozen: restore the file and put the change into a new one. "
                            + "A project's private database can be made anew instead: remove its folder .parley.")
                }
                continue
            }
            progress(migration.name)
            // The ledger first: with the file's effects in the same transaction its row cannot be alone.
            _ = try connection.query(
                "insert into parley.migration (version, name, sha256, breaking) values ($1, $2, $3, $4)",
                ["\(migration.version)", migration.name, migration.sha256, migration.isBreaking ? "true" : "false"])
            try self.patiently(connection, migration.file, text)
            applied.append(migration.name)
        }
        return applied
    }

    /// Again while somebody holds a table: bootstrap.sql lets it wait so briefly that nobody queues behind it.
    private func patiently(_ connection: PostgresConnection, _ file: String, _ script: String) throws {
        let end = ContinuousClock.now + Self.longestWait
        try self.run(connection, "savepoint attempt")
        while true {
            do throws(PostgresError) {
                return try connection.execute(script: script, timeout: Self.longestScript)
            } catch {
                guard error.sqlState == "55P03" else { throw self.described(error, file) }
                guard ContinuousClock.now < end else {
                    throw CommandError(
                        "\(file) needs a table that is in use",
                        hint: "Nothing has changed. See who holds it: select pid, application_name, now() - xact_start "
                            + "from pg_stat_activity order by xact_start; and install again.")
                }
            }
            try self.run(connection, "rollback to attempt; select pg_sleep(0.2 + random() / 2)")
        }
    }

    private func apply(_ file: String, _ connection: PostgresConnection) throws {
        try self.run(connection, try self.directory.read(file), file: file)
    }

    private func run(_ connection: PostgresConnection, _ script: String, file: String? = nil) throws {
        do throws(PostgresError) {
            try connection.execute(script: script, timeout: Self.longestScript)
        } catch {
            guard let file else { throw error }
            throw self.described(error, file)
        }
    }

    private func described(_ error: PostgresError, _ file: String) -> CommandError {
        let more = [error.detail, error.hint].compactMap { $0 }.joined(separator: " ")
        return CommandError("\(file): \(error.message)", hint: more.isEmpty ? nil : more)
    }
}
