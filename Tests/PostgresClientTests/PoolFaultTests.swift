import PostgresClient
import PostgresTestKit
import Support
import Testing

@Suite struct PoolFaultTests {
    @Test func aFullQueueRefusesAtOnce() async throws {
        try await withPool(size: 1, maxQueued: 3) {
            $0.pipelineDepth = 1
        } _: { (pool, schema, _) async throws in
            let gate = try await Gate(pool, schema)
            async let running = pool.run(Transaction([gate.waiting], timeout: .seconds(60)))
            #expect(try await eventually { try await gate.isWaitedFor() })
            let outcomes = Locked([PostgresError?]())
            for _ in 0..<8 {
                pool.submit(Transaction([Statement("select 1")], timeout: .seconds(60))) { result in
                    outcomes.withLock { $0.append(result.failure) }
                }
            }
            // Nothing has been answered but what was refused.
            let refused = outcomes.withLock { $0 }
            #expect(refused.count == 5 && refused.allSatisfy { $0?.code == .queueFull && $0?.isRetriable == true })
            #expect(pool.statistics.refusedQueueFull == 5)
            try await withHelper { try await gate.open($0) }
            _ = try await running
            #expect(try await eventually { outcomes.withLock { $0.filter { $0 == nil }.count == 3 } })
        }
    }

    @Test func aSlowStatementHoldsUpNobody() async throws {
        try await withPool(size: 3) { (pool, schema, _) async throws in
            let gate = try await Gate(pool, schema)
            async let slow = pool.run(Transaction([gate.waiting], timeout: .seconds(60)))
            #expect(try await eventually { try await gate.isWaitedFor() })
            try await Task.sleep(for: .milliseconds(20))
            // The gate opens when all the others are done.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<100 { group.addTask { try await pool.run("select 1") } }
                try await group.waitForAll()
            }
            try await gate.open(pool)
            _ = try await slow
        }
    }

    @Test func aTimeoutCancelsOnTheServer() async throws {
        try await withPool(size: 1) { (pool, schema, name) async throws in
            try await pool.run("create table \(schema).t (a int)")
            let start = ContinuousClock.now
            let error = await pool.failure(
                of: Transaction(
                    [Statement("insert into \(schema).t values (1)"), Statement("select pg_sleep(30)")],
                    timeout: .seconds(2)))
            #expect(error?.code == .timeout)
            // The server said that it cancelled, so it is known that nothing happened.
            #expect(error?.outcomeUnknown == false)
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(try await pool.int("select count(*) from \(schema).t") == 0)
            // Not the same connection: a cancel request that comes late would hit whoever uses it next.
            #expect(pool.statistics.connects == 2)
        }
    }

    @Test func waitingForAConnectionTimesOutToo() async throws {
        try await withPool(size: 1) {
            $0.pipelineDepth = 1
        } _: { (pool, schema, _) async throws in
            let gate = try await Gate(pool, schema)
            async let running = pool.run(Transaction([gate.waiting], timeout: .seconds(60)))
            #expect(try await eventually { try await gate.isWaitedFor() })
            let error = await pool.failure(of: Transaction([Statement("select 1")], timeout: .milliseconds(100)))
            #expect(error?.code == .timeout)
            #expect(error?.outcomeUnknown == false)
            try await withHelper { try await gate.open($0) }
            _ = try await running
        }
    }

    /// One that was sent behind a slow one answers in its own time, even if only that it does not know.
    @Test func nobodyWaitsLongerForTheOneBefore() async throws {
        try await withPool(size: 1) {
            $0.pipelineDepth = 8
            $0.pipelineWindow = .seconds(60)
        } _: { (pool, schema, _) async throws in
            let gate = try await Gate(pool, schema)
            try await pool.run("create table \(schema).t (a int)")
            async let slow = pool.run(Transaction([gate.waiting], timeout: .seconds(90)))
            #expect(try await eventually { try await gate.isWaitedFor() })
            let error = await pool.failure(
                of: Transaction([Statement("insert into \(schema).t values (1)")], timeout: .seconds(3)))
            #expect(error?.code == .timeout)
            #expect(error?.outcomeUnknown == true)
            try await withHelper { try await gate.open($0) }
            _ = try await slow
            // Indeed it could not be known: it was run later.
            #expect(try await pool.int("select count(*) from \(schema).t") == 1)
        }
    }

    @Test func withoutAServerTransactionsFailInTime() async throws {
        var configuration = PostgresConfiguration(url: "postgresql://nobody@127.0.0.1:1/none")
        configuration.connectionWait = .milliseconds(300)
        let pool = PostgresPool(configuration, size: 2, maxQueued: 10, log: Log(label: "test", sink: { _ in }))
        let start = ContinuousClock.now
        let error = await pool.failure(of: Transaction([Statement("select 1")]))
        #expect(error?.code == .connectFailed)
        #expect(error?.isRetriable == true)
        #expect(ContinuousClock.now - start < .seconds(10))
        await pool.shutdown()
    }

    @Test func idleConnectionsThatDiedCostNothing() async throws {
        let killer = PostgresPool(
            try TestDatabase.owner(), size: 1, maxQueued: 10, log: Log(label: "test", sink: { _ in }))
        try await withPool(size: 3) { (pool, schema, name) async throws in
            try await pool.run("create table \(schema).t (a int)")
            for round in 0..<10 {
                try await killer.terminate(name)
                // Straight after: the pool has not noticed yet.
                try await pool.run("insert into \(schema).t values (\(round))")
            }
            #expect(try await pool.int("select count(*) from \(schema).t") == 10)
        }
        await killer.shutdown()
    }

    /// Sessions are killed all the time under load. A transaction that succeeded is there, one that failed for sure is
    /// not, and one of unknown outcome is there once or not at all.
    @Test(.timeLimit(.minutes(2))) func outcomesAreTrueWhileSessionsAreKilled() async throws {
        let killer = PostgresPool(
            try TestDatabase.owner(), size: 1, maxQueued: 10, log: Log(label: "test", sink: { _ in }))
        try await withPool(size: 4) { (pool, schema, name) async throws in
            try await pool.run("create table \(schema).t (a int)")
            let history = try await Self.load(pool, schema, untilUnknown: 20) {
                try await killer.terminate(name)
                try await Task.sleep(for: .milliseconds(40))
            }
            try await Self.check(history, pool, schema)
            #expect(pool.statistics.connects > 4)
        }
        await killer.shutdown()
    }

    @Test(.timeLimit(.minutes(2))) func outcomesAreTrueWhileTheServerIsKilled() async throws {
        let cluster = try await ThrowawayCluster.start()
        let pool = PostgresPool(
            PostgresConfiguration(url: try cluster.url("PARLEY_TEST_DATABASE_URL"), connectionWait: .seconds(30)),
            size: 4, maxQueued: 1000, log: Log(label: "test", sink: { _ in }))
        try await pool.run("create schema s")
        try await pool.run("create table s.t (a int)")
        let history = try await Self.load(pool, "s", untilUnknown: 5) {
            try await cluster.kill9()
            try await cluster.restart()
            try await Task.sleep(for: .milliseconds(300))
        }
        try await Self.check(history, pool, "s")
        await pool.shutdown()
        try await cluster.stop()
    }

    struct History {
        var committed: Set<Int64> = []
        var failed: Set<Int64> = []
        var unknown: Set<Int64> = []
    }

    /// Writes numbers from many tasks while `fault` happens again and again, until enough were committed, and enough
    /// were hit.
    static func load(
        _ pool: PostgresPool, _ schema: String, untilUnknown: Int,
        _ fault: @escaping @Sendable () async throws -> Void
    ) async throws -> History {
        let history = Locked(History())
        @Sendable func isEnough() -> Bool {
            history.withLock { $0.committed.count >= 100 && $0.unknown.count >= untilUnknown }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<16 {
                group.addTask {
                    var number = Int64(writer) * 1_000_000
                    while !isEnough(), !Task.isCancelled {
                        number += 1
                        let value = number
                        let error = await pool.failure(
                            of: Transaction(
                                [
                                    Statement("insert into \(schema).t values ($1)", [String(value)]),
                                    Statement("select pg_sleep(0.002)"),
                                ], timeout: .seconds(40)))
                        history.withLock { history -> Void in
                            if error == nil {
                                history.committed.insert(value)
                            } else if error?.outcomeUnknown == true {
                                history.unknown.insert(value)
                            } else {
                                history.failed.insert(value)
                            }
                        }
                    }
                }
            }
            group.addTask { while !isEnough() { try await fault() } }
            try await group.waitForAll()
        }
        return history.withLock { $0 }
    }

    static func check(_ history: History, _ pool: PostgresPool, _ schema: String) async throws {
        let rows = try await pool.run("select a, count(*) from \(schema).t group by a").rows
        let found = Set(rows.compactMap { $0.int64(0) })
        #expect(rows.allSatisfy { $0.int64(1) == 1 })
        #expect(history.committed.subtracting(found).isEmpty)
        #expect(history.failed.isDisjoint(with: found))
        #expect(found.subtracting(history.committed).isSubset(of: history.unknown))
    }

    @Test func readsAreRunAgainWhenTheirConnectionDies() async throws {
        try await withPool(size: 2) { (pool, schema, name) async throws in
            let gate = try await Gate(pool, schema)
            async let read = pool.run(
                Transaction([gate.waiting, Statement("select 7")], mode: .readOnly, timeout: .seconds(60)))
            #expect(try await eventually { try await gate.isWaitedFor() })
            try await Task.sleep(for: .milliseconds(50))
            try await withHelper { helper in
                try await helper.terminate(name)
                try await gate.open(helper)
            }
            #expect(try await read[1].rows[0].int64(0) == 7)
            #expect(pool.statistics.connects >= 3)
        }
    }

    @Test func aWriteWhoseConnectionDiesIsOfUnknownOutcome() async throws {
        let killer = PostgresPool(
            try TestDatabase.owner(), size: 1, maxQueued: 10, log: Log(label: "test", sink: { _ in }))
        try await withPool(size: 1) { (pool, _, name) async throws in
            async let failure = pool.failure(of: Transaction([Statement("select pg_sleep(60)")], timeout: .seconds(90)))
            #expect(try await eventually { pool.statistics.inFlight == 1 })
            try await Task.sleep(for: .milliseconds(50))
            try await killer.terminate(name)
            let error = await failure
            #expect(error?.code == .connectionLost)
            #expect(error?.sqlState == "57P01")
            #expect(error?.outcomeUnknown == true)
            #expect(error?.isRetriable == false)
        }
        await killer.shutdown()
    }

    @Test func shutdownFinishesWhatItHasAndRefusesMore() async throws {
        let pool = PostgresPool(
            try TestDatabase.owner(), size: 2, maxQueued: 100, log: Log(label: "test", sink: { _ in }))
        let results = Locked(Set<Int64>())
        for value in 0..<20 {
            pool.submit(Transaction([Statement("select \(value) from pg_sleep(0.02)")])) { result in
                let number = (try? result.get())?[0].rows[0].int64(0)
                if let number { results.withLock { _ = $0.insert(number) } }
            }
        }
        await pool.shutdown()
        // Whatever was submitted before the shutdown was finished; none hangs.
        #expect(results.withLock { $0.count } == 20)
        #expect(await pool.failure(of: Transaction([Statement("select 1")]))?.code == .shutdown)
        await pool.shutdown()
    }

    /// A cancel request is on its way while the answer comes: it must not hit the transaction that is sent next.
    @Test(.timeLimit(.minutes(1))) func aLateCancelHitsNobodyElse() async throws {
        try await withPool(size: 1) {
            $0.pipelineDepth = 1
        } _: { (pool, _, _) async throws in
            for round in 0..<150 {
                async let slow = pool.failure(
                    of: Transaction(
                        [Statement("select pg_sleep($1)", ["\(0.018 + Double(round % 15) / 1000)"])],
                        timeout: .milliseconds(10)))
                async let next = pool.failure(of: Transaction([Statement("select pg_sleep(0.004)")]))
                let errors = await (slow, next)
                // Answered just as the cancel request went out: whether the commit was cut short is not to be told.
                #expect(errors.0 == nil || errors.0?.code == .timeout || errors.0?.code == .unconfirmed)
                #expect(errors.1 == nil, "round \(round)")
            }
        }
    }

    /// A server that stops answering altogether: the cancel request is of no use, the connection is given up.
    @Test(.timeLimit(.minutes(1))) func aFrozenServerDoesNotFreezeThePool() async throws {
        let cluster = try await ThrowawayCluster.start()
        let pool = PostgresPool(
            PostgresConfiguration(url: try cluster.url("PARLEY_TEST_DATABASE_URL")), size: 1, maxQueued: 10,
            log: Log(label: "test", sink: { _ in }))
        let pid = try #require(try await pool.int("select pg_backend_pid()"))
        try ThrowawayCluster.freeze(pid)
        let start = ContinuousClock.now
        let error = await pool.failure(of: Transaction([Statement("select 1")], timeout: .milliseconds(300)))
        #expect(error?.code == .timeout)
        #expect(error?.outcomeUnknown == true)
        #expect(ContinuousClock.now - start < .seconds(4))
        // On a new connection.
        #expect(try await pool.int("select 5") == 5)
        try ThrowawayCluster.thaw(pid)
        await pool.shutdown()
        try await cluster.stop()
    }
}

extension Result {
    fileprivate var failure: Failure? {
        if case .failure(let error) = self { error } else { nil }
    }
}
