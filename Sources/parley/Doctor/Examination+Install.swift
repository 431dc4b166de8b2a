internal import ParleyWorker
internal import PostgresClient

/// Checks of what is installed and who may use it.
extension Examination {
    static let apiRoles = ["anon", "authenticated", "service_role"]
    /// The privilege that lets a login act as a role. From PostgreSQL 16 on, a membership alone does not.
    static let becomes =
        "case when current_setting('server_version_num')::integer < 160000 then 'MEMBER' else 'SET' end"

    /// How to install again through the door that this database uses.
    func reinstall() throws(PostgresError) -> String {
        try self.isTrue("select exists (select from pg_extension where extname = 'parley')")
            ? "psql -c 'select parley_ext.migrate()', as the owner"
            : "parley migrate, or psql -f sql/install.sql, as the owner"
    }

    /// Why nothing else can be looked at, if so.
    func obstacle() throws -> [Finding] {
        let name = try self.value("select quote_ident(current_user)")
        guard
            try self.isTrue(
                """
                select exists (
                    select from pg_class c where c.relname = 'migration'
                    and c.relnamespace = (select n.oid from pg_namespace n where n.nspname = 'parley'))
                """)
        else {
            return [
                .failure("installation", "Parley is not installed in this database", "Run: \(try self.reinstall())")
            ]
        }
        guard try self.isTrue("select has_schema_privilege('parley', 'usage')") else {
            return [
                try self.isTrue("select to_regrole('parley_worker') is not null")
                    && self.isTrue("select pg_has_role('parley_worker', 'USAGE')")
                    ? .failure(
                        "grants",
                        "none for parley_worker: a dump without privileges was restored, or they were revoked",
                        "Run: \(try self.reinstall())")
                    : .failure(
                        "this login", "\(name) is not a member of parley_worker, nor the owner",
                        "As the owner or a DBA: grant parley_worker to \(name);")
            ]
        }
        guard try self.isTrue("select has_table_privilege('parley.migration', 'select')") else { return [] }
        guard try self.isTrue("select exists (select from parley.migration)") else {
            return [
                .failure(
                    "installation", "tables without any row: a dump without data was restored",
                    "Restore its data; or, if there is none: drop schema parley, parley_api cascade; then run: "
                        + "\(try self.reinstall())")
            ]
        }
        return []
    }

    func ledger() throws(PostgresError) -> [Finding] {
        guard try self.isTrue("select has_table_privilege('parley.migration', 'select')") else {
            return [
                .warning("installation", "this login may not read it", "Run parley doctor as the database's owner.")
            ]
        }
        let rows = try self.connection.query(
            "select version, name, sha256, breaking from parley.migration order by version"
        ).rows
        let newest = Int(rows.last?.int64("version") ?? 0)
        let release =
            try self.isTrue("select to_regprocedure('parley.version()') is not null")
            ? self.value("select parley.version()") : nil
        let state = (release.map { "Parley \($0), " } ?? "") + (rows.last?.string("name") ?? "no migration")
        guard let manifest = self.manifest else {
            return [
                .warning("installation", state, "The SQL files are not at hand; name them with --sql-dir to compare.")
            ]
        }
        if let first = rows.first?.string("name"), first != manifest.migrations.first?.name {
            return [
                .failure(
                    "installation", "\(state), by a Parley from before 0.2.0",
                    "There is no upgrade from it. Dump the data you need (pg_dump --schema=parley), then run: drop schema "
                        + "parley, parley_api cascade; and parley migrate")
            ]
        }
        if let breaking = rows.last(where: {
            $0.bool("breaking") == true && Int($0.int64("version") ?? 0) > manifest.newest
        }) {
            return [
                .failure(
                    "installation", "\(state); \(breaking.string("name") ?? "") is not for this worker",
                    "Upgrade the worker before it is started again.")
            ]
        }
        if newest > manifest.newest {
            return [
                .warning("installation", "\(state), newer than this program", "Upgrade the worker when convenient.")
            ]
        }
        if newest < manifest.newest {
            return [.failure("installation", "\(state), older than this program", "Run: \(try self.reinstall())")]
        }
        let changed = manifest.migrations.filter { migration in
            !rows.contains { $0.string("name") == migration.name && $0.string("sha256") == migration.sha256 }
        }
        return [
            changed.isEmpty
                ? release == Version.current
                    ? .ok("installation", "\(state), as in this release")
                    : .warning(
                        "installation", "\(state), not \(Version.current) as this program",
                        "Upgrade the older one: parley migrate from the newer release, or the program.")
                : .failure(
                    "installation", "\(changed.map(\.name).joined(separator: ", ")) differs from the file",
                    "Use the files this database was installed with; applied migrations never change.")
        ]
    }

    func roles() throws -> [Finding] {
        let wanted = Self.apiRoles + ["parley_worker"]
        let present = try self.list(
            "select rolname from pg_roles where rolname = any (string_to_array($1, ','))",
            [wanted.joined(separator: ",")])
        let missing = wanted.filter { !present.contains($0) }
        guard missing.isEmpty else {
            let commands = missing.map { "create role \($0) nologin noinherit" }.joined(separator: "; ")
            return [
                .failure(
                    "roles", "missing: \(missing.joined(separator: ", "))",
                    "As a DBA: \(commands); then parley migrate.")
            ]
        }
        let apart = try Self.apiRoles.filter { role in
            try !self.isTrue("select pg_has_role('parley_worker', $1, \(Self.becomes))", [role])
        }
        let strong = try self.list(
            """
            select rolname from pg_roles where rolname = any (string_to_array($1, ','))
            and (rolsuper or rolbypassrls and rolname <> 'service_role')
            """, [wanted.joined(separator: ",")])
        var findings: [Finding] = [.ok("roles", wanted.joined(separator: ", "))]
        findings.append(
            apart.isEmpty
                ? .ok("memberships", "parley_worker may act as \(Self.apiRoles.joined(separator: ", "))")
                : .failure(
                    "memberships", "parley_worker may not act as \(apart.joined(separator: ", "))",
                    "As a DBA: grant \(apart.joined(separator: ", ")) to parley_worker;"))
        if !strong.isEmpty {
            findings.append(
                .failure(
                    "role rights", "\(strong.joined(separator: ", ")): no access rule applies to them",
                    "As a DBA: alter role ... nosuperuser nobypassrls;"))
        }
        return findings
    }

    func login() throws -> [Finding] {
        let name = try self.value("select current_user")
        var findings: [Finding] = []
        if try self.isTrue("select rolsuper from pg_roles where rolname = current_user") {
            findings.append(
                .warning("this login", "\(name) is a superuser", "Neither the owner nor the worker needs to be one."))
        }
        guard try self.isTrue("select to_regrole('parley_worker') is not null") else { return findings }
        let isWorker = try self.isTrue("select pg_has_role('parley_worker', 'USAGE')")
        if try self.isTrue(
            "select rolsuper from pg_roles where oid = (select nspowner from pg_namespace where nspname = 'parley')")
        {
            findings.append(
                .warning(
                    "owner", "a superuser: Parley's functions run with all rights",
                    "As a superuser: alter schema parley owner to <an ordinary role that owns the database>; then: "
                        + "\(try self.reinstall().replacing(", as the owner", with: ", as that superuser"))"))
        }
        let owner = try self.value(
            "select coalesce((select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'parley'), '')")
        if isWorker {
            findings.append(.ok("this login", "\(name), a member of parley_worker"))
        } else if !owner.isEmpty, try self.isTrue("select pg_has_role($1, 'MEMBER')", [owner]) {
            findings.append(.ok("this login", "\(name), owner of the installation; the worker needs another login"))
            let apart = try Self.apiRoles.filter { role in
                try !self.isTrue("select pg_has_role(to_regrole($1), \(Self.becomes))", [role])
            }
            if !apart.isEmpty {
                let roles = apart.joined(separator: ", ")
                findings.append(
                    Finding(
                        level: .ok, subject: "plain SQL as the owner",
                        state: "may not become \(roles); nothing needs it",
                        advice: "Only to try `set role` by hand, as a DBA: grant \(roles) to \(name);"))
            }
        } else {
            findings.append(
                .failure("this login", "\(name) is not a member of parley_worker", "grant parley_worker to \(name);"))
        }
        return findings
    }

    static func reown(_ again: String) -> String {
        "Everything must belong to the owner of schema parley. With the URL of a superuser, once: "
            + again.replacing(", as the owner", with: "")
    }

    /// What holds in every release; all that a login can see that may not read what the installation recorded.
    func security() throws -> [Finding] {
        guard try self.isTrue("select to_regnamespace('parley') is not null") else { return [] }
        let open = try self.list(
            """
            select c.relname from pg_class c where c.relnamespace = 'parley'::regnamespace
            and c.relkind in ('r', 'p') and not c.relrowsecurity order by 1
            """)
        let visible = try Self.apiRoles.filter { role in
            try self.isTrue(
                "select exists (select from pg_roles where rolname = $1 and has_schema_privilege(oid, 'parley', 'usage'))",
                [role])
        }
        let loose = try self.list(
            """
            select p.proname from pg_proc p
            where p.pronamespace = any (array[to_regnamespace('parley'), to_regnamespace('parley_api')]::oid[])
            and exists (
                select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                where a.grantee = 0 and a.privilege_type = 'EXECUTE')
            order by 1
            """)
        let worker = try self.list(
            """
            select f
            from unnest(array['worker_start', 'worker_beat', 'read_log', 'authorize_join', 'discretion_of', 'replay']) f
            where not exists (
                select from pg_proc p where p.pronamespace = 'parley'::regnamespace and p.proname = f
                and has_function_privilege('parley_worker', p.oid, 'execute'))
            """)
        let again = try self.reinstall()
        let foreign = try self.list(
            """
            select c.oid::regclass::text from pg_class c
            join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'parley'
            where c.relkind in ('r', 'p') and c.relowner <> n.nspowner order by 1
            """)
        func finding(_ subject: String, _ bad: [String], _ good: String, _ advice: String) -> Finding {
            bad.isEmpty
                ? .ok(subject, good)
                : .failure(subject, bad.prefix(5).joined(separator: ", ") + (bad.count > 5 ? ", ..." : ""), advice)
        }
        return [
            finding("owner", foreign, "one for all tables", Self.reown(again)),
            finding("row-level security", open, "on for every table", "Off for these tables. Run: \(again)"),
            finding(
                "private schema", visible, "hidden from API roles",
                "revoke usage on schema parley from \(visible.joined(separator: ", "));"),
            finding(
                "public functions", loose, "none", "Run: \(again)"),
            finding(
                "worker functions", worker, "granted to parley_worker", "Not granted or missing. Run: \(again)"),
        ]
    }
}
