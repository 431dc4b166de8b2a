internal import PostgresClient

/// The logins, the database and the demo data of a project's cluster. Everything may be done again.
struct DevDatabase: Sendable {
    static let database = "parley"
    static let owner = "parley_owner"
    static let worker = "parley_login"

    let port: Int
    let secrets: Secrets

    var ownerURL: String { self.url(Self.owner, self.secrets.owner) }
    var workerURL: String { self.url(Self.worker, self.secrets.worker) }

    private func url(_ role: String, _ password: String, database: String = Self.database) -> String {
        "postgresql://\(role):\(password)@127.0.0.1:\(self.port)/\(database)"
    }

    /// Makes the owner and its database. The owner is no superuser, as in production.
    func prepare() throws(PostgresError) {
        let connection = try self.connect(self.url("postgres", self.secrets.superuser, database: "postgres"))
        defer { connection.close() }
        try self.makeRole(Self.owner, "login createrole nosuperuser", self.secrets.owner, connection)
        let known = try connection.query("select 1 from pg_database where datname = $1", [Self.database])
        if known.rows.isEmpty {
            try connection.execute(script: "create database \(Self.database) owner \(Self.owner)")
        }
    }

    /// Makes the worker's login, and lets the owner act as the API roles, once Parley is installed.
    func makeWorker() throws(PostgresError) {
        let connection = try self.connect(self.url("postgres", self.secrets.superuser))
        defer { connection.close() }
        try self.makeRole(Self.worker, "login", self.secrets.worker, connection)
        try connection.execute(script: "grant parley_worker to \(Self.worker)")
        // Making a role does not make its maker a member; plain SQL with the owner's URL acts as users do. Granted by the
        // owner itself: from PostgreSQL 16 on, a superuser's grant only repeats the maker's own, which gives no `set role`.
        let owner = try self.connect(self.ownerURL)
        defer { owner.close() }
        try owner.execute(script: "grant anon, authenticated, service_role to \(Self.owner)")
    }

    /// The passwords are base64url: nothing in them needs quoting.
    private func makeRole(
        _ name: String, _ attributes: String, _ password: String, _ connection: PostgresConnection
    ) throws(PostgresError) {
        let known = try connection.query("select 1 from pg_roles where rolname = $1", [name])
        let verb = known.rows.isEmpty ? "create" : "alter"
        try connection.execute(script: "\(verb) role \(name) \(attributes) password '\(password)'")
    }

    /// Adds the demo users, and a conversation if the first of them has none. Changes nothing that is there.
    func addDemo() throws(PostgresError) {
        let owner = try self.connect(self.ownerURL)
        defer { owner.close() }
        for user in DemoUser.all {
            _ = try owner.query(
                """
                insert into parley.account (id, display_name, tier_name) values ($1, $2, $3) on conflict (id) do nothing
                """, [user.id, user.name, user.tier])
        }
        let talks = try owner.query("select 1 from parley.participant where user_id = $1 limit 1", [DemoUser.all[0].id])
        guard talks.rows.isEmpty else { return }
        // Once, so that what the developer sets later stays: experiments and load are not to meet the rates of a plan.
        try owner.execute(
            script: """
                update parley.tier_limit set amount = null where period_seconds is not null and tier_name <> 'free'
                """)
        let worker = try self.connect(self.workerURL)
        defer { worker.close() }
        try worker.execute(script: "begin")
        _ = try worker.query(
            """
            select set_config('role', 'authenticated', true),
                set_config('request.jwt.claims', json_build_object('sub', $1::text, 'role', 'authenticated')::text, true)
            """, [DemoUser.all[0].id])
        _ = try worker.query(
            """
            select parley_api.start_conversation(
                participant_ids => array[$1]::uuid[], message => $2, client_message_id => $3::uuid)
            """,
            [
                DemoUser.all[1].id, "Hello \(DemoUser.all[1].name), this is where we can talk.",
                "00000000-0000-4000-8000-000000000001",
            ])
        try worker.execute(script: "commit")
    }

    private func connect(_ url: String) throws(PostgresError) -> PostgresConnection {
        try PostgresConnection(
            PostgresConfiguration(url: url, applicationName: "parley dev", preparedStatements: false),
            queryTimeout: .seconds(60))
    }
}

/// A user of the demo; the ids are the same in every project.
struct DemoUser: Sendable {
    let id: String
    let name: String
    let tier: String

    static let all = [
        DemoUser(id: "a11ce000-0000-4000-8000-000000000001", name: "Alice", tier: "privileged_plus"),
        DemoUser(id: "b0b00000-0000-4000-8000-000000000002", name: "Bob", tier: "privileged"),
        DemoUser(id: "ca401000-0000-4000-8000-000000000003", name: "Carol", tier: "free"),
        DemoUser(id: "da7e0000-0000-4000-8000-000000000004", name: "Dave", tier: "privileged"),
    ]
}
