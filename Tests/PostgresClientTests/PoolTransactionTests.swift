import PostgresClient
import PostgresTestKit
import Support
import Testing

@Suite struct PoolTransactionTests {
    @Test func everyStatementHasItsResult() async throws {
        try await withPool { (pool, schema, _) async throws in
            let results = try await pool.run(
                Transaction([
                    Statement("create table \(schema).t (a int, b text)"),
                    Statement("insert into \(schema).t values ($1, $2), (2, null)", ["1", "één"]),
                    Statement("select a, b from \(schema).t order by a"),
                ]))
            #expect(results.count == 3)
            #expect(results[1].affectedRows == 2)
            #expect(results[2].columns == ["a", "b"])
            #expect(results[2].rows.map { $0.int64("a") } == [1, 2])
            #expect(results[2].rows.map { $0.string("b") } == ["één", nil])
        }
    }

    @Test func anErrorUndoesEverythingBeforeIt() async throws {
        try await withPool { (pool, schema, _) async throws in
            try await pool.run("create table \(schema).t (a int)")
            let error = await pool.failure(
                of: Transaction([
                    Statement("insert into \(schema).t values (1)"),
                    Statement("select 1 / $1::int", ["0"]),
                    Statement("insert into \(schema).t values (2)"),
                ]))
            #expect(error?.code == .server)
            #expect(error?.sqlState == "22012")
            #expect(error?.message == "division by zero")
            #expect(error?.outcomeUnknown == false)
            #expect(error?.isRetriable == false)
            #expect(try await pool.int("select count(*) from \(schema).t") == 0)
        }
    }

    @Test func theServersFieldsAreKept() async throws {
        try await withPool { (pool, schema, _) async throws in
            let raise = "raise exception 'no' using errcode = 'PT403', detail = 'd', hint = 'h', constraint = 'c';"
            let sql = "do $$begin \(raise) end$$"
            let error = await pool.failure(of: Transaction([Statement(sql)]))
            #expect(error?.sqlState == "PT403")
            #expect(error?.message == "no")
            #expect(error?.detail == "d")
            #expect(error?.hint == "h")
            #expect(error?.constraint == "c")
        }
    }

    @Test func aFailingCommitIsAnError() async throws {
        try await withPool { (pool, schema, _) async throws in
            try await pool.run("create table \(schema).t (a int unique deferrable initially deferred)")
            let insert = Statement("insert into \(schema).t values (1)")
            let error = await pool.failure(of: Transaction([insert, insert]))
            #expect(error?.sqlState == "23505")
            #expect(error?.outcomeUnknown == false)
            // The connection is still good, and in step.
            for value in 0..<20 { #expect(try await pool.int("select \(value)") == Int64(value)) }
        }
    }

    /// One connection, many in the pipeline at once, every third failing in another place: each keeps its own outcome.
    @Test(arguments: [true, false]) func pipelinedTransactionsAreIsolated(prepared: Bool) async throws {
        func adjust(_ configuration: inout PostgresConfiguration) {
            configuration.pipelineDepth = 16
            configuration.pipelineWindow = .seconds(5)
            configuration.preparedStatements = prepared
        }
        try await withPool(size: 1, adjust) { (pool, schema, _) async throws in
            try await pool.run("create table \(schema).t (a int primary key, b int)")
            let outcomes = await withTaskGroup(of: (Int, PostgresError?).self) { group in
                for value in 0..<600 {
                    group.addTask {
                        var statements = [
                            Statement("insert into \(schema).t values ($1, 0)", [String(value)]),
                            Statement("update \(schema).t set b = b + 1 where a = $1", [String(value)]),
                            Statement("select b from \(schema).t where a = $1", [String(value)]),
                        ]
                        if value % 3 == 0 {
                            // Before, between and behind statements that others have prepared or will.
                            statements.insert(Statement("select 1 / ($1::int - $1::int)", ["7"]), at: value / 3 % 4)
                        }
                        return (value, await pool.failure(of: Transaction(statements)))
                    }
                }
                var outcomes: [Int: PostgresError?] = [:]
                for await (value, error) in group { outcomes[value] = error }
                return outcomes
            }
            for (value, error) in outcomes {
                if value % 3 == 0 { #expect(error?.sqlState == "22012") } else { #expect(error == nil, "\(value)") }
            }
            #expect(try await pool.int("select count(*) from \(schema).t where b = 1") == 400)
            #expect(try await pool.int("select count(*) from \(schema).t where a % 3 = 0") == 0)
        }
    }

    @Test func settingsEndWithTheirTransaction() async throws {
        try await withPool(size: 1) { (pool, _, _) async throws in
            let set = Statement("select set_config('parley.test', $1, true)", ["mine"])
            let get = Statement("select current_setting('parley.test', true)")
            for _ in 0..<3 {
                let inside = try await pool.run(Transaction([set, get]))
                #expect(inside[1].rows[0].string(0) == "mine")
                #expect(try await pool.run("select current_setting('parley.test', true)").rows[0].string(0) != "mine")
            }
        }
    }

    @Test(arguments: [Transaction.Mode.readOnly, .repeatableReadOnly])
    func readOnlyRefusesWrites(mode: Transaction.Mode) async throws {
        try await withPool(size: 1) { (pool, schema, _) async throws in
            try await pool.run("create table \(schema).t (a int)")
            let insert = Statement("insert into \(schema).t values (1)")
            for _ in 0..<3 {
                let error = await pool.failure(of: Transaction([Statement("select 1"), insert], mode: mode))
                #expect(error?.sqlState == "25006")
                let results = try await pool.run(Transaction([Statement("select 2")], mode: mode))
                #expect(results.count == 1 && results[0].rows[0].int64(0) == 2)
                // And the connection writes again.
                try await pool.run("insert into \(schema).t values (1)")
            }
            #expect(try await pool.int("select count(*) from \(schema).t") == 3)
        }
    }

    /// The same with and without the mode: so the test could fail.
    @Test(arguments: [(.repeatableReadOnly, 0), (.readOnly, 1)] as [(Transaction.Mode, Int64)])
    func repeatableReadSeesOneSnapshot(mode: Transaction.Mode, seen: Int64) async throws {
        try await withPool(size: 2) { (pool, schema, _) async throws in
            try await pool.run("create table \(schema).t (a int)")
            let gate = try await Gate(pool, schema)
            let count = Statement("select count(*) from \(schema).t")
            async let reader = pool.run(Transaction([count, gate.waiting, count], mode: mode, timeout: .seconds(60)))
            #expect(try await gate.isReached(pool))
            try await pool.run("insert into \(schema).t values (1)")
            try await gate.open(pool)
            let results = try await reader
            #expect(results[0].rows[0].int64(0) == 0)
            #expect(results[2].rows[0].int64(0) == seen)
        }
    }

    @Test func conflictsAreRetriedUntilTheyPass() async throws {
        try await withPool { (pool, schema, _) async throws in
            try await pool.run("create sequence \(schema).s")
            let raise = "raise exception 'x' using errcode = '40001';"
            let body = "begin if nextval('\(schema).s') < 4 then \(raise) end if; end"
            try await pool.run("create function \(schema).f() returns void language plpgsql as $$\(body)$$")
            try await pool.run("select \(schema).f()")
            #expect(try await pool.int("select last_value from \(schema).s") == 4)
            #expect(pool.statistics.conflictRetries == 3)
            try await pool.run("alter sequence \(schema).s restart")
            let error = await pool.failure(
                of: Transaction([Statement("select \(schema).f()")], retriesOnConflict: 2))
            #expect(error?.sqlState == "40001")
            #expect(error?.isRetriable == true)
            #expect(try await pool.int("select last_value from \(schema).s") == 3)
        }
    }

    /// Two transactions take two rows in opposite order, over and over: the server kills some; none is lost.
    @Test func deadlocksAreRetried() async throws {
        try await withPool { (pool, schema, _) async throws in
            try await pool.run("create table \(schema).t as select i as a, 0 as b from generate_series(1, 2) i")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for turn in 0..<4 {
                    group.addTask {
                        let order = turn % 2 == 0 ? ["1", "2"] : ["2", "1"]
                        let sql = "update \(schema).t set b = b + 1 where a = $1"
                        _ = try await pool.run(
                            Transaction(
                                [
                                    Statement(sql, [order[0]]), Statement("select pg_sleep(0.02)"),
                                    Statement(sql, [order[1]]),
                                ], retriesOnConflict: 10, timeout: .seconds(60)))
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await pool.int("select sum(b) from \(schema).t") == 8)
        }
    }

    @Test func aNulByteIsRefusedAsTheServerWould() async throws {
        try await withPool { (pool, _, _) async throws in
            let error = await pool.failure(of: Transaction([Statement("select $1::text", ["a\0b"])]))
            #expect(error?.sqlState == "22021")
            #expect(error?.code == .server)
        }
    }

    @Test func transactionControlByTheCallerDoesNotLeak() async throws {
        try await withPool(size: 1) { (pool, schema, _) async throws in
            try await pool.run("create table \(schema).t (a int)")
            let error = await pool.failure(
                of: Transaction([Statement("begin"), Statement("insert into \(schema).t values (1)")]))
            #expect(error?.code == .protocolViolation)
            #expect(try await pool.int("select count(*) from \(schema).t") == 0)
        }
    }

    /// PgBouncer in transaction mode: every transaction is whole, on whatever server connection it gets.
    @Test(.timeLimit(.minutes(1))) func transactionsPassAPooler() async throws {
        let pooler = try await ThrowawayPooler.start(server: TestDatabase.ownerURL())
        let pool = PostgresPool(
            PostgresConfiguration(url: pooler.url), size: 8, maxQueued: 1000,
            log: Log(label: "test", sink: { _ in }))
        let outcomes = try await withThrowingTaskGroup(of: Bool.self) { group in
            for value in 0..<400 {
                group.addTask {
                    let statements = [
                        Statement("select set_config('parley.test', $1, true)", [String(value)]),
                        Statement("select pg_backend_pid(), current_setting('parley.test')"),
                        Statement("select pg_backend_pid(), current_setting('parley.test')"),
                    ]
                    if value % 5 == 0 {
                        let error = await pool.failure(
                            of: Transaction(statements + [Statement("select 1 / $1::int", ["0"])]))
                        return error?.sqlState == "22012"
                    }
                    let results = try await pool.run(Transaction(statements))
                    let (one, two) = (results[1].rows[0], results[2].rows[0])
                    return one.int64(0) == two.int64(0) && one.string(1) == String(value)
                        && two.string(1) == String(value)
                }
            }
            return try await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(outcomes.count == 400 && outcomes.allSatisfy { $0 })
        await pool.shutdown()
        try await pooler.stop()
    }
}
