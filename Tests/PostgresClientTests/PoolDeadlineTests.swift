import PostgresClient
import PostgresTestKit
import Support
import Testing

/// Callers are answered in time, and told no more than is known.
@Suite struct PoolDeadlineTests {
    /// How far beyond its time a caller may be told, on a machine that does other things too.
    private static let slack = Duration.seconds(5)

    /// Backends that stand still, more than the pool has: what runs, what was sent behind it and what waits.
    @Test(.timeLimit(.minutes(2))) func aFrozenServerIsToldInTime() async throws {
        let cluster = try await ThrowawayCluster.start()
        var configuration = PostgresConfiguration(url: try cluster.url("PARLEY_TEST_DATABASE_URL"))
        configuration.pipelineWindow = .seconds(60)
        let pool = PostgresPool(configuration, size: 2, maxQueued: 100, log: Log(label: "test", sink: { _ in }))
        let all = Transaction([Statement("select pg_backend_pid() from pg_sleep(0.1)")], alone: true)
        async let one = pool.run(all)
        async let two = pool.run(all)
        let backends = try await [one, two].compactMap { $0[0].rows[0].int64(0) }
        #expect(Set(backends).count == 2)
        for backend in backends { try ThrowawayCluster.freeze(backend) }
        let timeout = Duration.seconds(2)
        let answers = await withTaskGroup(of: (PostgresError?, Duration).self) { group in
            for _ in 0..<20 {
                group.addTask {
                    let began = ContinuousClock.now
                    let error = await pool.failure(of: Transaction([Statement("select 1")], timeout: timeout))
                    return (error, ContinuousClock.now - began)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        for (error, took) in answers {
            #expect(took < timeout + Self.slack)
            // Those that were never sent may have found a new connection.
            let isTold = error?.code == .timeout || (error?.code == .connectionLost && error?.outcomeUnknown == true)
            #expect(error == nil || isTold, "\(String(describing: error))")
        }
        #expect(answers.contains { $0.0?.outcomeUnknown == true })
        #expect(try await pool.int("select 5") == 5)
        for backend in backends { try ThrowawayCluster.thaw(backend) }
        await pool.shutdown()
        try await cluster.stop()
    }

    /// A standby that does not answer: a commit that nobody confirmed is never told as done, whoever ends its wait.
    @Test(.timeLimit(.minutes(2)), arguments: [true, false])
    func anUnconfirmedCommitIsNoSuccess(byDeadline: Bool) async throws {
        let cluster = try await ThrowawayCluster.start()
        let url = try cluster.url("PARLEY_TEST_DATABASE_URL")
        let root = PostgresConfiguration(url: try cluster.url("PARLEY_SUPERUSER_URL"))
        let name = TestDatabase.uniqueName("pool")
        let pool = PostgresPool(
            PostgresConfiguration(url: url, applicationName: name), size: 1, maxQueued: 10,
            log: Log(label: "test", sink: { _ in }))
        try await pool.run("create schema s")
        try await pool.run("create table s.t (a int)")
        try await blocking {
            let connection = try PostgresConnection(root)
            for sql in ["alter system set synchronous_standby_names = 'nobody'", "select pg_reload_conf()"] {
                _ = try connection.query(sql)
            }
            // A new session has the setting as soon as the postmaster has told its children of it.
            let setting = "show synchronous_standby_names"
            while try PostgresConnection(root).query(setting).rows[0].string(0) != "nobody" { blockingPause() }
            // Commits begin to wait when the checkpointer has read it, as it does before it looks for a request:
            // the first checkpoint may have been requested between the two, the second was not.
            for _ in 0..<2 { _ = try connection.query("checkpoint") }
        }
        async let failure = pool.failure(
            of: Transaction(
                [Statement("insert into s.t values (1)")], timeout: byDeadline ? .seconds(2) : .seconds(50)))
        if !byDeadline {
            try await blocking {
                let connection = try PostgresConnection(root)
                let sql = """
                    select pg_cancel_backend(pid) from pg_stat_activity
                    where application_name = $1 and wait_event = 'SyncRep'
                    """
                while try connection.query(sql, [name]).rows.isEmpty { blockingPause() }
            }
        }
        let error = await failure
        #expect(error?.code == .unconfirmed)
        #expect(error?.outcomeUnknown == true && error?.isRetriable == false)
        // It stands here; a read does not wait for anybody.
        #expect(try await pool.run(Transaction([Statement("select 1 from s.t")], mode: .readOnly))[0].rows.count == 1)
        await pool.shutdown()
        try await cluster.stop()
    }

    /// 55P03 names the table whose row was locked, so that nobody is told of another lock than the one he waits for.
    @Test func aLockIsToldByItsTable() async throws {
        try await withPool(size: 8) { (pool, schema, _) async throws in
            try await pool.run("create table \(schema).room (a int primary key, b int)")
            try await pool.run("create table \(schema).purse (a int primary key, b int)")
            for table in ["room", "purse"] { try await pool.run("insert into \(schema).\(table) values (1, 0)") }
            let gate = try await Gate(pool, schema)
            async let holder = pool.run(
                Transaction(
                    [
                        Statement("select from \(schema).room for update"),
                        Statement("select from \(schema).purse for update"),
                        Statement("select pg_advisory_xact_lock(7)"), gate.waiting,
                    ], timeout: .seconds(60)))
            #expect(try await eventually { try await gate.isWaitedFor() })
            let patience = Statement("select set_config('lock_timeout', '100ms', true)")
            func locked(_ sql: String) async -> PostgresError? {
                await pool.failure(of: Transaction([patience, Statement(sql)]))
            }
            let update = "update \(schema).room set b = 1"
            let function = "do $$begin \(update); end$$"
            for sql in [update, function, "select from \(schema).room for update nowait"] {
                let error = await locked(sql)
                #expect(error?.sqlState == "55P03" && error?.lockedTable == "room", "\(sql)")
            }
            #expect(await locked("update \(schema).purse set b = 1")?.lockedTable == "purse")
            let advisory = await locked("select pg_advisory_xact_lock(7)")
            #expect(advisory?.sqlState == "55P03" && advisory?.lockedTable == nil)
            // Those who wait for the room learn of the room's lock at once, and of no other.
            func contend(_ table: String) async -> [Duration] {
                await withTaskGroup(of: Duration.self) { group in
                    for _ in 0..<12 {
                        group.addTask {
                            let began = ContinuousClock.now
                            let error = await pool.failure(
                                of: Transaction(
                                    [
                                        Statement("select set_config('lock_timeout', '500ms', true)"),
                                        Statement("update \(schema).\(table) set b = 1"),
                                    ], contention: "1", contentionTable: "room"))
                            // Two who wait for one row: only the first is known to wait for it.
                            #expect(error?.sqlState == "55P03")
                            #expect(error?.lockedTable == table || error?.lockedTable == nil)
                            return ContinuousClock.now - began
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
            }
            #expect(await contend("room").allSatisfy { $0 < .milliseconds(2400) })
            // Two at a time, six turns of half a second.
            #expect(await contend("purse").max()! > .milliseconds(2400))
            try await gate.open(pool)
            _ = try await holder
        }
    }
}
