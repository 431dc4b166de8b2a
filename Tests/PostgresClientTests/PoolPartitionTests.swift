import PostgresClient
import PostgresTestKit
import Support
import Testing

/// A program that vanishes behind a partition gives back what it had locked.
@Suite struct PoolPartitionTests {
    @Test func everySessionTellsTheServerWhenItIsDead() async throws {
        let names = [
            "tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout",
            "client_connection_check_interval", "idle_in_transaction_session_timeout",
        ]
        let expected = ["5", "2", "2", "10000", "5s", "20s"]
        try await withPool(size: 1) { (pool, _, _) async throws in
            let results = try await pool.run(Transaction(names.map { Statement("show \($0)") }))
            #expect(results.map { $0.rows[0].string(0) } == expected)
        }
        let configuration = try TestDatabase.owner()
        try await blocking {
            let connection = try PostgresConnection(configuration)
            #expect(try names.map { try connection.query("show \($0)").rows[0].string(0) } == expected)
        }
    }

    /// - Parameter midway: the server has half of the transaction and waits for the rest; else it runs a statement.
    @Test(
        .enabled(if: NetworkLink.isPossible, "needs root: it makes a network of its own"), .timeLimit(.minutes(4)),
        arguments: [true, false])
    func aPartitionFreesTheLocks(midway: Bool) async throws {
        let cluster = try await ThrowawayCluster.start(settings: ["listen_addresses=*"])
        let link = try await NetworkLink.make()
        // A network that stays behind would be in the way of nobody, but for ever.
        defer { link.remove() }
        try await cluster.trust("10.0.0.0/8")
        let url = try cluster.url("PARLEY_TEST_DATABASE_URL")
        let near = PostgresPool(
            PostgresConfiguration(url: url), size: 2, maxQueued: 10, log: Log(label: "test", sink: { _ in }))
        try await near.run("create schema s")
        try await near.run("create table s.t as select 1 as a")
        let gate = try await Gate(near, "s")
        let far = PostgresConfiguration(url: url.replacing("@127.0.0.1:", with: "@\(link.address):"))
        let pool = try await link.inside {
            PostgresPool(far, size: 1, maxQueued: 10, log: Log(label: "test", sink: { _ in }))
        }
        let rest =
            midway
            // More than the buffers between the ends take, so that a part is still here when the link is cut.
            ? [gate.waiting, Statement("select length($1)", [String(repeating: "x", count: 30 << 20)])]
            : [gate.waiting, Statement("select pg_sleep(100)")]
        let lost = Locked(PostgresError?.none)
        pool.submit(Transaction([Statement("select from s.t for update")] + rest, timeout: .seconds(100))) { result in
            if case .failure(let error) = result { lost.withLock { $0 = error } }
        }
        #expect(try await gate.isReached(near))
        let began = ContinuousClock.now
        try await link.cut()
        try await gate.open(near)
        // Somebody else wants what it had locked.
        let patience = Statement("select set_config('lock_timeout', '30s', true)")
        let error = await near.failure(
            of: Transaction([patience, Statement("select from s.t for update")], timeout: .seconds(60)))
        #expect(error == nil)
        let took = ContinuousClock.now - began
        #expect(took > .seconds(3) && took < .seconds(30), "\(took)")
        // The program at the other end knows too.
        #expect(try await eventually(within: .seconds(30)) { lost.withLock { $0?.code == .connectionLost } })
        await pool.shutdown()
        await near.shutdown()
        try await cluster.stop()
    }
}
