import PostgresClient
import PostgresTestKit
import Testing

@Suite struct PoolStatementCacheTests {
    private func prepared(_ pool: PostgresPool) async throws -> Int64? {
        try await pool.int("select count(*) from pg_prepared_statements")
    }

    @Test func aStatementThatComesAgainIsPrepared() async throws {
        try await withPool(size: 1) { (pool, _, _) async throws in
            let sql = "select $1::int + 41"
            for _ in 0..<3 { #expect(try await pool.run(sql, ["1"]).rows[0].int64(0) == 42) }
            let count = try await pool.run(
                "select count(*) from pg_prepared_statements where statement = $1", [sql])
            #expect(count.rows[0].int64(0) == 1)
        }
    }

    @Test func theCacheIsBoundedOnTheServerToo() async throws {
        try await withPool(size: 1) {
            $0.statementCacheSize = 10
        } _: { (pool, _, _) async throws in
            for round in 0..<3 {
                for value in 0..<40 {
                    for _ in 0..<2 {
                        #expect(try await pool.int("select \(value) + \(round)") == Int64(value + round))
                    }
                }
            }
            let count = try #require(try await self.prepared(pool))
            #expect(count <= 10 && count > 0)
        }
    }

    /// The statement is first prepared in a transaction that fails before it: the server never saw the Prepare.
    @Test func aSkippedPrepareIsNotBelieved() async throws {
        try await withPool(size: 1) { (pool, _, _) async throws in
            let fresh = Statement("select $1::int * 2", ["21"])
            let fails = Statement("select 1 / $1::int", ["0"])
            for _ in 0..<4 {
                #expect(await pool.failure(of: Transaction([fails, fresh]))?.sqlState == "22012")
            }
            for _ in 0..<4 { #expect(try await pool.run(Transaction([fresh]))[0].rows[0].int64(0) == 42) }
        }
    }

    @Test func aForgottenStatementIsPreparedAgain() async throws {
        try await withPool(size: 1) { (pool, _, _) async throws in
            for _ in 0..<3 { try await pool.run("select $1::int", ["1"]) }
            try await pool.run("deallocate all")
            #expect(try await pool.run("select $1::int", ["5"]).rows[0].int64(0) == 5)
        }
    }

    @Test func aChangedTableIsReadAnew() async throws {
        try await withPool(size: 1) { (pool, schema, _) async throws in
            try await pool.run("create table \(schema).t as select 1 as a")
            let sql = "select * from \(schema).t"
            for _ in 0..<3 { #expect(try await pool.run(sql).columns == ["a"]) }
            try await pool.run("alter table \(schema).t add column b text default 'x'")
            // "cached plan must not change result type" stays inside the pool.
            #expect(try await pool.run(sql).columns == ["a", "b"])
        }
    }

    @Test func nothingIsPreparedWhenSwitchedOff() async throws {
        try await withPool(size: 1) {
            $0.preparedStatements = false
        } _: { (pool, _, _) async throws in
            for _ in 0..<4 { #expect(try await pool.run("select $1::int", ["3"]).rows[0].int64(0) == 3) }
            #expect(try await self.prepared(pool) == 0)
        }
    }

    /// A full cache makes room before a transaction, never inside it: `begin isolation level` must come first.
    @Test(arguments: [Transaction.Mode.readWrite, .readOnly, .repeatableReadOnly])
    func aFullCacheBreaksNoTransaction(mode: Transaction.Mode) async throws {
        try await withPool(size: 1) {
            $0.statementCacheSize = 3
        } _: { (pool, _, _) async throws in
            for round in 0..<2 {
                for value in 0..<20 {
                    let statement = Statement("select \(value)")
                    for _ in 0..<2 {
                        let results = try await pool.run(Transaction([statement, statement], mode: mode))
                        #expect(results.map { $0.rows[0].int64(0) } == [Int64(value), Int64(value)], "\(round)")
                    }
                }
            }
            #expect(try await self.prepared(pool) == 3)
            #expect(pool.statistics.connects == 1 && pool.statistics.failures == 0)
        }
    }

    @Test func theCacheIsBoundedInBytes() async throws {
        try await withPool(size: 1) {
            $0.statementCacheBytes = 10_000
        } _: { (pool, _, _) async throws in
            for value in 0..<30 {
                let text = "select \(value) /* \(String(repeating: "x", count: 1000)) */"
                for _ in 0..<2 { #expect(try await pool.int(text) == Int64(value)) }
            }
            let sum = try await pool.int("select sum(length(statement)) from pg_prepared_statements")
            #expect(try #require(sum) <= 10_000)
            #expect(try #require(sum) > 5_000)
        }
    }

    @Test func aStatementHasALongestText() async throws {
        try await withPool(size: 1) {
            $0.longestStatement = 1000
        } _: { (pool, _, _) async throws in
            let text = String(repeating: "x", count: 1000)
            let error = await pool.failure(of: Transaction([Statement("select 1 -- \(text)")]))
            #expect(error?.code == .server && error?.sqlState == "54000")
            #expect(try await pool.run("select $1::text", [text + text]).rows[0].string(0) == text + text)
        }
    }
}
