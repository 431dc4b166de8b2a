internal import Glibc
internal import PostgresClient
internal import Support

/// Writes exports to a folder, page by page, and deletes their files when their time is over.
///
/// The database says which export, from where on, and how long its file is; a page is in the file before the database is
/// told of it. So whoever is cut off goes on where it was, and what it had written beyond that is cut off.
struct ExportWriter: Service {
    let name = "exports"
    private let pool: PostgresPool
    private let folder: String
    private let writer: String
    private let log: Log
    /// Between two looks for something to do.
    private let pause: Duration
    private static let rowsPerPage = "500"

    init(pool: PostgresPool, folder: String, log: Log, pause: Duration = .seconds(2)) {
        self.pool = pool
        self.folder = folder
        self.log = log
        self.pause = pause
        var host = [CChar](repeating: 0, count: 256)
        gethostname(&host, host.count - 1)
        let name = host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        self.writer = String(decoding: name, as: UTF8.self) + ":" + folder
    }

    func run() async throws {
        while true {
            do {
                if let lock = try self.lockFolder() {
                    defer { close(lock) }
                    try await self.deleteExpired()
                    if try await self.writeNext() { continue }
                }
            } catch let error as PostgresError {
                guard error.code != .shutdown else { return }
                let place = [("code", "\(error.code)"), ("sqlstate", error.sqlState ?? "")]
                // Of a database that takes no changes the tail has told.
                if error.sqlState != "25006" { self.log.warning("exports wait for the database", place) }
            } catch let error as ExportFileError {
                self.log.error("an export cannot be written", [("reason", error.description)])
            }
            try await Task.sleep(for: self.pause)
        }
    }

    /// Another worker of this machine with the same folder is the same writer to the database: one of them writes at a time.
    ///
    /// - Returns: a descriptor that holds the folder until it is closed; nil while another holds it.
    private func lockFolder() throws(ExportFileError) -> Int32? {
        let descriptor = open(self.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ExportFileError(self.folder) }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
        let error = errno == EWOULDBLOCK ? nil : ExportFileError(self.folder)
        close(descriptor)
        if let error { throw error }
        return nil
    }

    private func path(_ id: String, _ format: String) -> String { "\(self.folder)/\(id).\(format)" }

    private func ask(_ sql: String, _ parameters: [String?], mode: Transaction.Mode) async throws(PostgresError)
        -> ResultSet
    {
        try await self.pool.run(
            Transaction(
                [Statement(sql, parameters)], mode: mode, retriesOnConflict: 3, timeout: .seconds(60), alone: true,
                lane: .upkeep))[0]
    }

    /// - Returns: true if there was an export to write; false also when it is another writer's now.
    private func writeNext() async throws -> Bool {
        let claimed = try await self.ask(
            "select id, format, bytes_written from parley.claim_export($1)", [self.writer], mode: .readWrite)
        guard let export = claimed.rows.first, let id = export.string(0), let format = export.string(1),
            var length = export.int64(2)
        else { return false }
        let path = self.path(id, format)
        let file: ExportFile
        do {
            file = try ExportFile(path: path, length: Int(length))
        } catch {
            if error.isShort {
                _ = try await self.ask("select parley.restart_export($1, $2)", [id, self.writer], mode: .readWrite)
            }
            throw error
        }
        while true {
            try Task.checkCancellation()
            let page = try await self.ask(
                "select lines, row_count, next from parley.export_page($1, $2)", [id, Self.rowsPerPage],
                mode: .repeatableReadOnly)
            guard let row = page.rows.first else { return false }
            let lines = row[0] ?? []
            try file.append(lines)
            let next = row.string(2)
            let advanced = try await self.ask(
                "select parley.export_advance($1, $2, $3, $4, $5, $6)",
                [id, self.writer, "\(length)", "\(lines.count)", row.string(1), next], mode: .readWrite)
            guard advanced.rows.first?.bool(0) == true else { return false }
            length += Int64(lines.count)
            if next == nil {
                self.log.info("an export is ready", [("export.id", id), ("bytes", "\(length)")])
                return true
            }
        }
    }

    private func deleteExpired() async throws {
        let expired = try await self.ask(
            "select id, format from parley.expired_exports($1)", [self.writer], mode: .readOnly)
        for row in expired.rows {
            guard let id = row.string(0), let format = row.string(1) else { continue }
            try ExportFile.delete(path: self.path(id, format))
            _ = try await self.ask("select parley.export_expired($1, $2)", [id, self.writer], mode: .readWrite)
        }
    }
}
