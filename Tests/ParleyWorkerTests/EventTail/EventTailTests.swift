import FoundationEssentials
import ParleyCore
import ParleyWorker
import PostgresClient
import PostgresTestKit
import Support
import Testing

@Suite struct EventTailTests {
    private func worker() throws -> PostgresConfiguration { PostgresConfiguration(url: try TestDatabase.workerURL()) }

    @Test(.timeLimit(.minutes(2))) func everyCommittedEventComesOnceAndInOrder() async throws {
        let writer = try await LogWriter(TestDatabase.ownerURL(), conversations: 8, size: 30)
        let tails = [TailProbe(try self.worker()), TailProbe(try self.worker(), pollOnly: true)]
        for tail in tails { #expect(try await tail.isLive()) }

        // One transaction stays open over everything else.
        let open = try await blocking { [owner = try TestDatabase.owner()] in
            let connection = try PostgresConnection(owner)
            _ = try connection.query("begin")
            _ = try connection.query("insert into parley.event (user_id, kind) values (gen_random_uuid(), 'x')")
            return Kept(connection)
        }
        let end = ContinuousClock.now + .seconds(3)
        // However slow the machine is.
        let fewest = 10
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<24 {
                group.addTask {
                    // Two writers have a conversation of their own and hold its lock for up to 2 s.
                    let holds = index < 2
                    var written = 0
                    while ContinuousClock.now < end || (!holds && written < fewest) {
                        written += 1
                        try await writer.write(
                            to: writer.conversations[holds ? index : 2 + index % 6],
                            hold: .milliseconds(Int.random(in: holds ? 500...2000 : 0...20)),
                            rollback: Int.random(in: 0..<4) == 0)
                    }
                }
            }
            try await group.waitForAll()
        }
        let committed = try await writer.committed()
        #expect(committed.count > 100)
        for tail in tails {
            let mine = Set(writer.conversations)
            #expect(try await eventually { tail.events(of: mine).count >= committed.count })
            #expect(faults(in: tail.events(of: mine), committed: committed) == [])
            try await tail.stop()
        }
        try await blocking { _ = try open.take()?.query("rollback") }
        await writer.pool.shutdown()
    }

    @Test(.timeLimit(.minutes(3))) func aCrashedServerLosesAndDoublesNothing() async throws {
        let cluster = try await ThrowawayCluster.start(installing: true, settings: ["wal_writer_delay=10s"])
        let configuration = PostgresConfiguration(url: try cluster.url("PARLEY_WORKER_DATABASE_URL"))
        let writer = try await LogWriter(cluster.url("PARLEY_TEST_DATABASE_URL"), conversations: 6, size: 8)
        let tails = [TailProbe(configuration), TailProbe(configuration)]
        for tail in tails { #expect(try await tail.isLive()) }
        let crashes = Locked(0)
        let commits = Locked(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<12 {
                group.addTask {
                    while crashes.withLock({ $0 }) < 4, !Task.isCancelled {
                        do throws(PostgresError) {
                            let statements =
                                [LogWriter.append(writer.conversations[index % 6])]
                                + (Int.random(in: 0..<3) == 0 ? [Statement("select 1 / $1::int", ["0"])] : [])
                            _ = try await writer.pool.run(Transaction(statements, timeout: .seconds(30)))
                            commits.withLock { $0 += 1 }
                        } catch {
                            // Failed, or of unknown outcome: what counts is what the log says in the end.
                        }
                    }
                }
            }
            group.addTask {
                for crash in 1...4 {
                    _ = try await eventually { commits.withLock { $0 } > crash * 50 }
                    try await cluster.kill9()
                    try await cluster.restart()
                    crashes.withLock { $0 += 1 }
                }
            }
            try await group.waitForAll()
        }
        try await writer.write(to: writer.conversations[0])
        let committed = try await writer.committed()
        #expect(committed.count > 100)
        for tail in tails {
            let mine = Set(writer.conversations)
            _ = try await eventually { tail.events(of: mine).count >= committed.count }
            #expect(faults(in: tail.events(of: mine), committed: committed) == [])
            #expect(tail.seen.states.filter { $0 == .disconnected }.count > 0)
            #expect(tail.seen.epochChanges == 0)
            try await tail.stop()
        }
        await writer.pool.shutdown()
        try await cluster.stop()
    }

    /// The backstop is far away, so an event that comes soon came by the doorbell. The commits fall at random moments
    /// around falling asleep.
    @Test(.timeLimit(.minutes(2))) func theDoorbellWakesItWheneverItRings() async throws {
        let policy = TailPolicy(backstop: .seconds(60))
        let database = try await FreshDatabase.make()
        let tail = TailProbe(PostgresConfiguration(url: database.workerURL), policy: policy)
        let writer = try await LogWriter(database.ownerURL, conversations: 1, size: 2)
        #expect(try await tail.isLive())
        let conversation = writer.conversations[0]
        for round in 1...60 {
            try await Task.sleep(for: .microseconds(Int.random(in: 0...60_000)))
            try await writer.write(to: conversation, hold: .milliseconds(round % 5 == 0 ? 40 : 0))
            let arrived = try await eventually { tail.events(of: [conversation]).count == round }
            #expect(arrived, "round \(round)")
            if !arrived { break }
        }
        #expect(tail.seen.states.contains(.asleep))
        try await tail.stop()
        await writer.pool.shutdown()
    }

    /// No pause goes by within the test, so an event that comes came by its nudge: one at a time, and many at once.
    @Test(.timeLimit(.minutes(2))) func whatItsOwnProcessCommitsIsReadAtOnce() async throws {
        let database = try await FreshDatabase.make()
        let policy = TailPolicy(busyPause: .seconds(300), longestPause: .seconds(300), crowd: .max)
        let nudge = PostgresConnection.Nudge()
        let tail = TailProbe(PostgresConfiguration(url: database.workerURL), policy: policy, nudge: nudge)
        let writer = try await LogWriter(
            database.ownerURL, conversations: 4, size: 4, committed: { nudge.nudge() })
        #expect(try await tail.isLive())
        for round in 1...30 {
            try await writer.write(to: writer.conversations[0])
            let arrived = try await eventually { tail.events(of: [writer.conversations[0]]).count == round }
            #expect(arrived, "round \(round)")
            if !arrived { break }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for conversation in writer.conversations {
                group.addTask { for _ in 0..<100 { try await writer.write(to: conversation) } }
            }
            try await group.waitForAll()
        }
        let mine = Set(writer.conversations)
        #expect(try await eventually { tail.events(of: mine).count == 430 })
        #expect(faults(in: tail.events(of: mine), committed: try await writer.committed()) == [])
        #expect(tail.state == .awake)
        try await tail.stop()
        await writer.pool.shutdown()
    }

    @Test func asleepItStillLooksNowAndThen() async throws {
        let database = try await FreshDatabase.make()
        let tail = TailProbe(
            PostgresConfiguration(url: database.workerURL), policy: TailPolicy(backstop: .milliseconds(300)))
        let owner = PostgresPool(
            PostgresConfiguration(url: database.ownerURL), size: 1, maxQueued: 10,
            log: Log(label: "test", sink: { _ in }))
        #expect(try await tail.isLive())
        #expect(try await eventually { tail.state == .asleep })
        let user = UUID()
        // An event whose writer rings no bell.
        let silent = Statement("insert into parley.event (user_id, kind) values ($1, 'x')", [user.uuidString])
        _ = try await owner.run(Transaction([silent]))
        #expect(try await eventually { tail.seen.events.contains { $0.userID == user } })
        try await tail.stop()
        await owner.shutdown()
    }

    @Test func pollOnlyHoldsNoLockAndHearsNoBell() async throws {
        let database = try await FreshDatabase.make()
        let tail = TailProbe(PostgresConfiguration(url: database.workerURL), pollOnly: true)
        let writer = try await LogWriter(database.ownerURL, conversations: 1, size: 2)
        #expect(try await tail.isLive())
        let sql = """
            select count(*) from pg_locks l join parley.worker w
            on ((l.classid::bigint << 32) | l.objid::bigint) = w.lock_key
            where l.locktype = 'advisory' and l.mode = 'ExclusiveLock' and w.name = $1
            and l.database = (select d.oid from pg_database d where d.datname = current_database())
            """
        // That the query would find a lock: this one sleeps.
        let other = TailProbe(PostgresConfiguration(url: database.workerURL))
        #expect(
            try await eventually {
                try await writer.pool.run(Transaction([Statement(sql, [other.name])]))[0].rows[0].int64(0) == 1
            })
        try await other.stop()
        for round in 1...10 {
            try await writer.write(to: writer.conversations[0])
            #expect(try await eventually { tail.events(of: [writer.conversations[0]]).count == round })
            try await Task.sleep(for: .milliseconds(60))
            let held = try await writer.pool.run(Transaction([Statement(sql, [tail.name])]))
            #expect(held[0].rows[0].int64(0) == 0)
        }
        #expect(!tail.seen.states.contains(.asleep))
        try await tail.stop()
        await writer.pool.shutdown()
    }

    /// PgBouncer in transaction mode: found out by itself, and the log is polled without prepared statements.
    @Test(.timeLimit(.minutes(1))) func behindATransactionPoolerItPolls() async throws {
        let pooler = try await ThrowawayPooler.start(server: TestDatabase.workerURL())
        let tail = TailProbe(PostgresConfiguration(url: pooler.url))
        let writer = try await LogWriter(TestDatabase.ownerURL(), conversations: 2, size: 4)
        #expect(try await tail.isLive())
        for index in 0..<50 { try await writer.write(to: writer.conversations[index % 2]) }
        let mine = Set(writer.conversations)
        #expect(try await eventually { tail.events(of: mine).count >= 50 })
        #expect(faults(in: tail.events(of: mine), committed: try await writer.committed()) == [])
        #expect(!tail.seen.states.contains(.asleep) && !tail.seen.states.dropFirst().contains(.disconnected))
        try await tail.stop()
        try await pooler.stop()
        await writer.pool.shutdown()
    }

    /// Late commits come complete, whatever a read may take: with more of them than fit into the time, the tail must not
    /// ask in vain for ever.
    @Test(.timeLimit(.minutes(1))) func aReadThatTakesTooLongGetsMoreTime() async throws {
        let tail = TailProbe(try self.worker(), policy: TailPolicy(answerTime: .milliseconds(20)))
        let writer = try await LogWriter(TestDatabase.ownerURL(), conversations: 1, size: 2)
        #expect(try await tail.isLive())
        let user = UUID()
        let many = Statement(
            "insert into parley.event (user_id, kind) select $1, 'x' from generate_series(1, 6000)", [user.uuidString])
        async let late: Void = {
            _ = try await writer.pool.run(
                Transaction([many, Statement("select pg_sleep(1)")], timeout: .seconds(30), alone: true))
        }()
        // Passes the ids of the many, which are not committed yet.
        try await Task.sleep(for: .milliseconds(700))
        try await writer.write(to: writer.conversations[0])
        #expect(try await eventually { tail.events(of: [writer.conversations[0]]).count == 1 })
        try await late
        #expect(
            try await eventually(within: .seconds(30)) { tail.seen.events.count { $0.userID == user } == 6000 })
        try await tail.stop()
        await writer.pool.shutdown()
    }

    @Test func aSlowReceiverHoldsUpTheNextRead() async throws {
        let tail = TailProbe(try self.worker(), deliveryTakes: .milliseconds(30))
        let writer = try await LogWriter(TestDatabase.ownerURL(), conversations: 2, size: 4)
        #expect(try await tail.isLive())
        for index in 0..<60 { try await writer.write(to: writer.conversations[index % 2]) }
        let mine = Set(writer.conversations)
        #expect(try await eventually { tail.events(of: mine).count == 60 })
        #expect(faults(in: tail.events(of: mine), committed: try await writer.committed()) == [])
        #expect(tail.seen.overlaps == 0)
        try await tail.stop()
        await writer.pool.shutdown()
    }

    @Test func aKilledSessionGoesOnWhereItWas() async throws {
        let name = TestDatabase.uniqueName("tailed")
        var configuration = try self.worker()
        configuration.applicationName = name
        let tail = TailProbe(configuration)
        let writer = try await LogWriter(TestDatabase.ownerURL(), conversations: 2, size: 4)
        let killer = PostgresPool(
            PostgresConfiguration(url: try TestDatabase.variable("PARLEY_SUPERUSER_URL")), size: 1, maxQueued: 10,
            log: Log(label: "test", sink: { _ in }))
        #expect(try await tail.isLive())
        let kill = Statement(
            "select pg_terminate_backend(pid, 60000) from pg_stat_activity where application_name = $1", [name])
        for index in 0..<200 {
            try await writer.write(to: writer.conversations[index % 2])
            if index % 20 == 10 { _ = try await killer.run(Transaction([kill])) }
        }
        let mine = Set(writer.conversations)
        #expect(try await eventually { tail.events(of: mine).count >= 200 })
        #expect(faults(in: tail.events(of: mine), committed: try await writer.committed()) == [])
        #expect(tail.seen.states.contains(.disconnected))
        #expect(tail.seen.epochChanges == 0)
        try await tail.stop()
        await writer.pool.shutdown()
        await killer.shutdown()
    }

    @Test func aForgottenWorkerRegistersAgainAndLeavesInOrder() async throws {
        let policy = TailPolicy(backstop: .milliseconds(50), beat: .milliseconds(50))
        let tail = TailProbe(try self.worker(), policy: policy)
        let owner = PostgresPool(
            try TestDatabase.owner(), size: 1, maxQueued: 10, log: Log(label: "test", sink: { _ in }))
        #expect(try await tail.isLive())
        let registrations = Statement("select id from parley.worker where name = $1", [tail.name])
        let before = try await owner.run(Transaction([registrations]))[0].rows.map { $0.int64(0) }
        _ = try await owner.run(Transaction([Statement("delete from parley.worker where name = $1", [tail.name])]))
        #expect(
            try await eventually {
                let now = try await owner.run(Transaction([registrations]))[0].rows.map { $0.int64(0) }
                return now.count == 1 && now != before
            })
        try await tail.stop()
        #expect(try await owner.run(Transaction([registrations]))[0].rows.isEmpty)
        await owner.shutdown()
    }

    /// A server that went through a failover has another timeline: old positions mean nothing there.
    @Test(.timeLimit(.minutes(2))) func anotherTimelineIsAnotherEpoch() async throws {
        let cluster = try await ThrowawayCluster.start(installing: true)
        let tail = TailProbe(PostgresConfiguration(url: try cluster.url("PARLEY_WORKER_DATABASE_URL")))
        let writer = try await LogWriter(cluster.url("PARLEY_TEST_DATABASE_URL"), conversations: 1, size: 1)
        #expect(try await tail.isLive())
        try await writer.write(to: writer.conversations[0])
        #expect(try await eventually { tail.events(of: [writer.conversations[0]]).count == 1 })
        try await cluster.promote()
        #expect(try await eventually { tail.seen.epochChanges == 1 })
        try await writer.write(to: writer.conversations[0])
        #expect(try await eventually { tail.events(of: [writer.conversations[0]]).count == 2 })
        #expect(tail.seen.epochChanges == 1)
        try await tail.stop()
        await writer.pool.shutdown()
        try await cluster.stop()
    }

    @Test(.timeLimit(.minutes(2))) func aServerThatDoesNotAnswerIsGivenUp() async throws {
        let cluster = try await ThrowawayCluster.start(installing: true)
        let tail = TailProbe(
            PostgresConfiguration(url: try cluster.url("PARLEY_WORKER_DATABASE_URL"), applicationName: "frozen"),
            policy: TailPolicy(answerTime: .milliseconds(500)))
        let writer = try await LogWriter(cluster.url("PARLEY_TEST_DATABASE_URL"), conversations: 1, size: 1)
        let root = PostgresPool(
            PostgresConfiguration(url: try cluster.url("PARLEY_SUPERUSER_URL")), size: 1, maxQueued: 10,
            log: Log(label: "test", sink: { _ in }))
        #expect(try await tail.isLive())
        let find = Statement("select pid from pg_stat_activity where application_name = 'frozen'")
        let pid = try #require(try await root.run(Transaction([find]))[0].rows.first?.int64(0))
        try ThrowawayCluster.freeze(pid)
        // Its lock is held by the frozen session; the new one has another.
        #expect(try await eventually { tail.seen.states.contains(.disconnected) })
        try await writer.write(to: writer.conversations[0])
        #expect(try await eventually { tail.events(of: [writer.conversations[0]]).count == 1 })
        try ThrowawayCluster.thaw(pid)
        try await tail.stop()
        await root.shutdown()
        await writer.pool.shutdown()
        try await cluster.stop()
    }
}

/// Carries a connection, which belongs to one thread at a time, from one block to the next.
private final class Kept: Sendable {
    private let connection: Locked<PostgresConnection?>
    init(_ connection: sending PostgresConnection) { self.connection = Locked(connection) }
    func take() -> sending PostgresConnection? {
        self.connection.withLock { connection in
            let taken = connection
            connection = nil
            return taken
        }
    }
}
