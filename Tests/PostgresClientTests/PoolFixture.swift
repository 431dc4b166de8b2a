import PostgresClient
import PostgresTestKit
import Support

/// A pool on the test database, with a schema of its own, both gone at the end.
func withPool<Value>(
    size: Int = 4, maxQueued: Int = 10_000, _ adjust: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresPool, _ schema: String, _ applicationName: String) async throws -> Value
) async throws -> Value {
    let name = TestDatabase.uniqueName("pool")
    let pool = PostgresPool(
        try TestDatabase.owner(name, adjust), size: size, maxQueued: maxQueued, log: Log(label: "test", sink: { _ in }))
    do {
        _ = try await pool.run("create schema \(name)")
        let value = try await body(pool, name, name)
        _ = try await pool.run("drop schema \(name) cascade")
        await pool.shutdown()
        return value
    } catch {
        await pool.shutdown()
        throw error
    }
}

extension PostgresPool {
    /// One statement in a transaction of its own.
    @discardableResult
    func run(_ sql: String, _ parameters: [String?] = [], timeout: Duration = .seconds(90)) async throws -> ResultSet {
        try await self.run(Transaction([Statement(sql, parameters)], timeout: timeout))[0]
    }

    func int(_ sql: String) async throws -> Int64? { try await self.run(sql).rows.first?.int64(0) }

    /// The error of a transaction that must fail.
    func failure(of transaction: Transaction) async -> PostgresError? {
        do throws(PostgresError) {
            _ = try await self.run(transaction)
            return nil
        } catch {
            return error
        }
    }

    /// Ends the sessions of one application name, all but the caller's, and waits until they are gone.
    func terminate(_ applicationName: String) async throws {
        try await self.run(
            """
            select pg_terminate_backend(pid, 60000) from pg_stat_activity
            where application_name = $1 and pid <> pg_backend_pid()
            """, [applicationName])
    }
}

/// A statement that runs until the test lets it go: no test has to guess how long something takes.
struct Gate {
    let schema: String
    /// Waits for the gate.
    var waiting: Statement { Statement("select \(self.schema).wait_for_gate()") }

    init(_ pool: PostgresPool, _ schema: String) async throws {
        self.schema = schema
        // A sequence is no part of any snapshot: the gate is seen to open at every isolation level.
        let body = """
            begin loop exit when (select is_called from \(schema).gate); perform pg_sleep(0.01); end loop; end
            """
        _ = try await pool.run(
            Transaction([
                Statement("create sequence \(schema).gate"),
                Statement("create function \(schema).wait_for_gate() returns void language plpgsql as $$\(body)$$"),
            ]))
    }

    /// Whether somebody stands before it: asked of the server, because a pool's counters say what was a moment ago.
    func isWaitedFor() async throws -> Bool {
        let name = "\(self.schema).wait_for_gate"
        return try await withHelper { helper in
            try await helper.int(
                """
                select count(*) from pg_stat_activity
                where state = 'active' and pid <> pg_backend_pid() and position('\(name)' in query) > 0
                """) == 1
        }
    }

    /// Through another pool when the first is busy waiting.
    func open(_ pool: PostgresPool) async throws {
        try await pool.run("select nextval('\(self.schema).gate')")
    }

    /// Waits until a statement waits at the gate.
    func isReached(_ pool: PostgresPool) async throws -> Bool {
        try await eventually {
            try await pool.run(
                "select 1 from pg_stat_activity where state = 'active' and query = $1", [self.waiting.sql]
            ).rows.count > 0
        }
    }
}

/// A pool for what the tested pool must not do itself.
func withHelper<Value>(_ body: (PostgresPool) async throws -> Value) async throws -> Value {
    let helper = PostgresPool(
        try TestDatabase.owner(), size: 1, maxQueued: 100, log: Log(label: "test", sink: { _ in }))
    do {
        let value = try await body(helper)
        await helper.shutdown()
        return value
    } catch {
        await helper.shutdown()
        throw error
    }
}
