import PostgresTestKit
import Support
import Testing

@testable import PostgresClient

/// Behind PgBouncer in transaction mode: the next transaction runs on whatever session is free.
@Suite struct PoolPoolerTests {
    /// Nothing is said of a pooler, and two programs share its sessions: each statement is what it says.
    @Test(.timeLimit(.minutes(1))) func noStatementIsTakenForAnother() async throws {
        let pooler = try await ThrowawayPooler.start(server: TestDatabase.ownerURL())
        let lines = Locked([String]())
        let pools = (0..<2).map { _ in
            PostgresPool(
                PostgresConfiguration(url: pooler.url), size: 4, maxQueued: 10_000,
                log: Log(label: "test", threshold: .info, sink: { line in lines.withLock { $0.append(line.text) } }))
        }
        let wrong = try await withThrowingTaskGroup(of: Bool.self) { group in
            for round in 0..<20 {
                for value in 0..<40 {
                    let pool = pools[(round + value) % 2]
                    // The same text comes again, so that it would be prepared.
                    group.addTask {
                        try await pool.run("select \(value), $1::int", ["7"]).rows[0].int64(0) != Int64(value)
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(wrong == 0)
        #expect(lines.withLock { $0.count { $0.contains("no statement is prepared") } } == 2)
        for pool in pools { await pool.shutdown() }
        // Nothing stays in the sessions that others use, neither statements nor settings.
        let url = pooler.url
        try await blocking {
            let connection = try PostgresConnection(PostgresConfiguration(url: url))
            #expect(connection.isPooled)
            let row = try connection.query(
                """
                select (select count(*) from pg_prepared_statements where name like 'parley%'),
                    current_setting('tcp_keepalives_count')
                """
            ).rows[0]
            #expect(row.int64(0) == 0 && row.string(1) != "2")
        }
        try await pooler.stop()
    }

    /// A pooler that hides: the first name that exists already gives it away.
    @Test func aNameThatExistsStopsPreparing() async throws {
        try await withPool(size: 1) { (pool, _, _) async throws in
            let sql = "select $1::int + 41"
            try await pool.run("prepare \(StatementCache.name(of: sql)) as \(sql)")
            for value in 0..<4 { #expect(try await pool.run(sql, ["\(value)"]).rows[0].int64(0) == Int64(value + 41)) }
            #expect(pool.statistics.failures == 0)
            for value in 0..<3 {
                for _ in 0..<2 { try await pool.run("select \(value)") }
            }
            #expect(try await pool.int("select count(*) from pg_prepared_statements") == 0)
        }
    }
}
