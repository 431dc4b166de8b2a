internal import ParleyWorker
internal import PostgresClient

/// Looks a database over, one check after the other.
struct Examination {
    let connection: PostgresConnection
    /// Makes another connection to the same address.
    let connect: () throws(PostgresError) -> PostgresConnection
    /// Of the files at hand; nil if they are not found.
    let manifest: Manifest?
    /// Seconds since 1970 here, read when the server's clock is.
    let now: () -> Int64

    /// Every check, in the order of the table. A check that cannot be made is a finding too. What must be put right first
    /// (no Parley, another release's, a login that may not look) is the last line: more would only follow from it.
    func run() -> [Finding] {
        var findings = self.checked("server", self.server) + self.checked("server", self.writable)
        let first = self.checked("installation", self.obstacle)
        guard first.isEmpty else { return findings + first }
        findings += self.checked("durability", self.durability) + self.checked("capacity", self.capacity)
        findings += self.checked("clock", self.clock)
        let ledger = self.checked("installation", self.ledger)
        findings += ledger
        guard !ledger.contains(where: { $0.level == .failure }) else { return findings }
        let checks: [(String, () throws -> [Finding])] = [
            ("roles", self.roles), ("login", self.login), ("catalog", self.catalog), ("rows", self.seeds),
            ("partitions", self.partitions), ("jobs", self.jobs), ("notifications", self.notifications),
            ("erasures", self.erasures),
        ]
        return findings + checks.flatMap(self.checked)
    }

    private func checked(_ subject: String, _ check: () throws -> [Finding]) -> [Finding] {
        do {
            return try check()
        } catch let error as PostgresError {
            return [.failure(subject, "cannot be checked: \(error.message)", error.hint ?? "")]
        } catch {
            return [.failure(subject, "cannot be checked: \(error)", "")]
        }
    }

    func value(_ sql: String, _ parameters: [String?] = []) throws(PostgresError) -> String {
        try self.connection.query(sql, parameters).rows.first?.string(0) ?? ""
    }

    func list(_ sql: String, _ parameters: [String?] = []) throws(PostgresError) -> [String] {
        try self.connection.query(sql, parameters).rows.compactMap { $0.string(0) }
    }

    func isTrue(_ sql: String, _ parameters: [String?] = []) throws(PostgresError) -> Bool {
        try self.connection.query(sql, parameters).rows.first?.bool(0) ?? false
    }

    // MARK: - The server

    private func server() throws(PostgresError) -> [Finding] {
        let version = try self.value("show server_version")
        let number = Int(try self.value("show server_version_num")) ?? 0
        let encoding = try self.value("show server_encoding")
        return [
            number >= 150_000
                ? .ok("PostgreSQL version", version)
                : .failure("PostgreSQL version", version, "Parley needs PostgreSQL 15 or newer."),
            encoding == "UTF8"
                ? .ok("database encoding", encoding)
                : .failure("database encoding", encoding, "create database ... template template0 encoding 'UTF8'"),
        ]
    }

    private func writable() throws(PostgresError) -> [Finding] {
        if try self.isTrue("select pg_is_in_recovery()") {
            return [
                .failure(
                    "writing", "this server is a standby: nothing can be sent or installed through it",
                    "Give the address of the primary; or promote this server: select pg_promote();")
            ]
        }
        guard try self.isTrue("select current_setting('transaction_read_only')::boolean") else { return [] }
        return [
            .failure(
                "writing", "sessions are read-only (default_transaction_read_only)",
                "begin read write; alter database \(try self.value("select quote_ident(current_database())")) set "
                    + "default_transaction_read_only = off; commit; and see that neither the role nor the server sets it."
            )
        ]
    }

    private func durability() throws(PostgresError) -> [Finding] {
        var findings: [Finding] = []
        let commit = try self.value("show synchronous_commit")
        findings.append(
            commit == "off" || commit == "local"
                ? .failure(
                    "synchronous_commit", commit,
                    "alter database \(try self.value("select quote_ident(current_database())")) set synchronous_commit = "
                        + "on; an acknowledged message, and the log's cursor, may be lost in a crash without it.")
                : .ok("synchronous_commit", commit))
        for (name, loss) in [("fsync", "the whole database"), ("full_page_writes", "pages torn by a crash")] {
            let value = try self.value("show \(name)")
            findings.append(
                value == "on"
                    ? .ok(name, value)
                    : .failure(name, value, "alter system set \(name) = on; a power failure can cost \(loss)."))
        }
        return findings
    }

    private func capacity() throws(PostgresError) -> [Finding] {
        let most = Int(try self.value("show max_connections")) ?? 0
        let used =
            Int(try self.value("select count(*) from pg_stat_activity where backend_type = 'client backend'")) ?? 0
        let level = try self.value("show wal_level")
        let size = try self.value("show max_wal_size")
        let bytes = Int(try self.value("select pg_size_bytes(current_setting('max_wal_size'))")) ?? 0
        return [
            most - used >= 20
                ? .ok("connections", "\(used) of \(most) in use")
                : .warning(
                    "connections", "\(used) of \(most) in use",
                    "Each worker takes --db-pool-size and one more. Raise max_connections or use a pooler."),
            .ok("wal_level", level),
            bytes >= 512 * 1024 * 1024
                ? .ok("max_wal_size", size)
                : .warning(
                    "max_wal_size", size, "alter system set max_wal_size = '2GB'; less means frequent checkpoints."),
        ]
    }

    private func clock() throws(PostgresError) -> [Finding] {
        let before = self.now()
        let there = Int64(try self.value("select extract(epoch from clock_timestamp())::bigint")) ?? 0
        let skew = there - (before + self.now()) / 2
        let state = "the database is \(abs(skew)) s \(skew < 0 ? "behind" : "ahead")"
        if abs(skew) <= 2 { return [.ok("clock", "no difference worth mentioning")] }
        let advice = "Run NTP on both machines; tokens expire at the wrong time."
        return [abs(skew) > 30 ? .failure("clock", state, advice) : .warning("clock", state, advice)]
    }

    // MARK: - Notifications and partitions

    private func notifications() throws(PostgresError) -> [Finding] {
        // A standby can neither listen nor notify.
        if try self.isTrue("select pg_is_in_recovery()") { return [] }
        let usage = Double(try self.value("select pg_notification_queue_usage()")) ?? 0
        let percent = "\(Int((usage * 100).rounded())) % full"
        var findings = [
            usage < 0.1
                ? Finding.ok("notification queue", percent)
                : .failure(
                    "notification queue", percent,
                    "A session that listens sits in a long transaction; at 100 % every send fails. Find it: select pid, "
                        + "xact_start from pg_stat_activity order by xact_start; and end it with pg_terminate_backend.")
        ]
        findings.append(try self.hearsOthers())
        return findings
    }

    /// A pooler in transaction mode takes the server connection away between transactions, and the notification with it.
    /// Another connection rings, because a session always hears what it says itself.
    private func hearsOthers() throws(PostgresError) -> Finding {
        if self.connection.isPooled {
            return .warning(
                "LISTEN through this URL", "a pooler is in between",
                "Unless it is in session mode, give parley serve a direct connection with --listen-database-url, or "
                    + "--poll-only.")
        }
        let other = try self.connect()
        defer { other.close() }
        let channel = "parley_doctor_\(try self.value("select pg_backend_pid()"))"
        try self.connection.listen(channel)
        try self.connection.forgetNotifications()
        _ = try other.query("select pg_notify($1, '')", [channel])
        guard try self.connection.wait(upTo: .seconds(2)) == .notification else {
            return .warning(
                "LISTEN through this URL", "not heard: a pooler in transaction mode is in between",
                "Give parley serve a direct connection with --listen-database-url, or --poll-only.")
        }
        return .ok("LISTEN through this URL", "works")
    }

    private func partitions() throws -> [Finding] {
        let parents = try self.list(
            """
            select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'parley' and c.relkind = 'p' order by 1
            """)
        return try parents.map { parent in
            // Names repeat the bounds: <parent>_YYYY_MM, or _YYYY_MM_DD.
            let newest = try self.value(
                """
                select coalesce(max(substring(c.relname from '_(\\d{4}_\\d\\d(_\\d\\d)?)$')), '') from pg_inherits i
                join pg_class c on c.oid = i.inhrelid
                join pg_class p on p.oid = i.inhparent join pg_namespace n on n.oid = p.relnamespace
                where n.nspname = 'parley' and p.relname = $1
                """, [parent])
            let soon = try self.value(
                "select to_char(now() at time zone 'utc' + interval '7 days', $1)",
                [newest.count > 7 ? "YYYY_MM_DD" : "YYYY_MM"])
            return newest >= soon
                ? .ok("partitions of \(parent)", "made up to \(newest)")
                : .failure(
                    "partitions of \(parent)", newest.isEmpty ? "none" : "made up to \(newest) only",
                    "As the owner: select parley.maintain(); and see that pg_cron, or a running worker, does it daily.")
        }
    }
}
