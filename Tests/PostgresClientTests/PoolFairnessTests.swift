import PostgresClient
import PostgresTestKit
import Support
import Testing

/// One who asks for much does not hold up the others.
@Suite struct PoolFairnessTests {
    private func reads(_ owner: String) -> Transaction {
        Transaction(
            [Statement("select pg_sleep(0.4)")], mode: .readOnly, timeout: .seconds(60), lane: .reading, owner: owner)
    }

    /// Sixteen slow reads of one owner, at every size of a pool: another owner's send, and another's read, wait for one
    /// statement at most.
    @Test(.timeLimit(.minutes(1)), arguments: [1, 2, 8])
    func slowReadsHoldUpNobodyElse(size: Int) async throws {
        try await withPool(size: size) { (pool, schema, _) async throws in
            try await pool.run("create table \(schema).t (a int)")
            #expect(try await eventually { pool.statistics.connected == size })
            let done = Locked(0)
            for _ in 0..<16 {
                pool.submit(self.reads("greedy")) { result in
                    if (try? result.get()) != nil { done.withLock { $0 += 1 } }
                }
            }
            try await Task.sleep(for: .milliseconds(50))
            let send = Transaction([Statement("insert into \(schema).t values (1)")], owner: "other")
            let read = Transaction([Statement("select 1")], mode: .readOnly, lane: .reading, owner: "third")
            for transaction in [send, read, send] {
                // Counted in statements and not in time, of which a busy machine may have little.
                let before = done.withLock { $0 }
                _ = try await pool.run(transaction)
                #expect(done.withLock { $0 } - before <= 2 * max(1, size / 4), "\(size)")
            }
            #expect(try await eventually { done.withLock { $0 } == 16 })
        }
    }

    @Test func readsLeaveAQuarterOfTheConnectionsFree() async throws {
        try await withPool(size: 8) {
            $0.pipelineDepth = 1
        } _: { (pool, schema, _) async throws in
            let gate = try await Gate(pool, schema)
            let done = Locked(0)
            for number in 0..<20 {
                let read = Transaction(
                    [gate.waiting], mode: .readOnly, timeout: .seconds(60), lane: .reading, owner: "\(number)")
                pool.submit(read) { _ in done.withLock { $0 += 1 } }
            }
            #expect(try await eventually { pool.statistics.inFlight == 6 && pool.statistics.queued == 14 })
            try await Task.sleep(for: .milliseconds(50))
            #expect(pool.statistics.inFlight == 6)
            for _ in 0..<20 { try await pool.run("select 1") }
            try await gate.open(pool)
            #expect(try await eventually { done.withLock { $0 } == 20 })
        }
    }

    @Test func whoQueuesTooMuchIsRefusedAlone() async throws {
        let pool = PostgresPool(
            try TestDatabase.owner(), size: 1, limits: PoolLimits(queued: 100, queuedPerOwner: 3),
            log: Log(label: "test", sink: { _ in }))
        let outcomes = Locked([PostgresError?]())
        for _ in 0..<10 {
            pool.submit(self.reads("greedy")) { result in
                var error: PostgresError?
                if case .failure(let failure) = result { error = failure }
                outcomes.withLock { $0.append(error) }
            }
        }
        let refused = outcomes.withLock { $0 }
        #expect(refused.count >= 6 && refused.allSatisfy { $0?.code == .ownerQueueFull && $0?.isRetriable == true })
        // Others are let in, and those who were let in are answered.
        _ = try await pool.run(Transaction([Statement("select 1")], owner: "other"))
        #expect(try await eventually { outcomes.withLock { $0.count } == 10 })
        // Room again.
        _ = try await pool.run(Transaction([Statement("select 1")], owner: "greedy"))
        await pool.shutdown()
    }

    @Test func whatNobodyWantsIsDroppedOrCancelled() async throws {
        try await withPool(size: 1) {
            $0.pipelineDepth = 1
        } _: { (pool, _, _) async throws in
            let outcomes = Locked([PostgresError?](repeating: nil, count: 3))
            let cancellations = (0..<3).map { _ in PoolCancellation() }
            for (number, cancellation) in cancellations.enumerated() {
                let slow = Transaction([Statement("select pg_sleep(30)")], mode: .readOnly, timeout: .seconds(60))
                pool.submit(slow, cancellation: cancellation) { result in
                    if case .failure(let error) = result { outcomes.withLock { $0[number] = error } }
                }
            }
            #expect(try await eventually { pool.statistics.inFlight == 1 && pool.statistics.queued == 2 })
            let began = ContinuousClock.now
            // The last ones wait, the first one runs.
            for cancellation in cancellations.reversed() { cancellation.cancel() }
            #expect(try await eventually { outcomes.withLock { $0.allSatisfy { $0?.code == .cancelled } } })
            #expect(outcomes.withLock { $0.allSatisfy { $0?.outcomeUnknown == false } })
            #expect(try await pool.int("select 1") == 1)
            #expect(ContinuousClock.now - began < .seconds(5))
            let running = try await withHelper { helper in
                try await helper.int(
                    "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(30)%' "
                        + "and pid <> pg_backend_pid()")
            }
            #expect(running == 0)
        }
    }

    /// What ends by itself in a moment costs no connection.
    @Test func whatIsAboutToEndIsLeftToEnd() async throws {
        try await withPool(size: 1) { (pool, _, _) async throws in
            for _ in 0..<20 {
                let cancellation = PoolCancellation()
                let done = Locked(false)
                pool.submit(Transaction([Statement("select pg_sleep(0.01)")]), cancellation: cancellation) { _ in
                    done.withLock { $0 = true }
                }
                #expect(try await eventually { pool.statistics.inFlight == 1 || done.withLock { $0 } })
                cancellation.cancel()
                #expect(try await eventually { done.withLock { $0 } })
            }
            #expect(pool.statistics.connects == 1)
        }
    }
}
