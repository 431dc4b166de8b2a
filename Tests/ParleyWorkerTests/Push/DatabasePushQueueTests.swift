import ParleyCore
import PostgresClient
import PostgresTestKit
import PushTestKit
import Support
import Testing

@testable import ParleyWorker

/// The sender over the queue's two functions, with a table of a test's own behind them.
@Suite(.timeLimit(.minutes(3)), .serialized) struct DatabasePushQueueTests {
    private struct Base {
        let pool: PostgresPool
        private let url: String

        init() async throws {
            let url = try await FreshDatabase.bare()
            let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
            let script = try #require(FileText.string(of: root + "/Tests/support/push_queue.sql"))
            try await blocking { try PostgresConnection(PostgresConfiguration(url: url)).execute(script: script) }
            self.url = url
            self.pool = Self.pool(url)
        }

        private static func pool(_ url: String) -> PostgresPool {
            PostgresPool(
                PostgresConfiguration(url: url), size: 3, maxQueued: 100, log: Log(label: "test", sink: { _ in }))
        }

        /// A worker's sender, and its own pool.
        func sender(_ name: String, _ gateway: PushGateway) throws -> (PushSender, PostgresPool) {
            let pool = Self.pool(self.url)
            return (
                PushSender(
                    try PushSettings.load(gateway.settings), queue: DatabasePushQueue(pool: pool, worker: name),
                    log: Log(label: "push", sink: { _ in })), pool
            )
        }

        func run(_ sql: String, _ parameters: [String?] = []) async throws -> ResultSet {
            try await self.pool.run(Transaction([Statement(sql, parameters)], timeout: .seconds(30)))[0]
        }

        func number(_ sql: String) async throws -> Int64 { try await self.run(sql).rows[0].int64(0) ?? -1 }

        func add(_ count: Int) async throws {
            _ = try await self.run(
                """
                insert into parley.push_job (provider, route, target, content)
                select 'apns', 'com.example.chat',
                    jsonb_build_object('app_id', 'com.example.chat', 'token', lpad(to_hex(n), 64, '0')),
                    '{"kind":"message","privacy":"full","title":"Trip","body":"Where are you?"}'
                from generate_series(1, $1::integer) as n
                """, [String(count)])
        }
    }

    @Test func threeWorkersDeliverEachJobOnce() async throws {
        let gateway = try await PushGateway()
        let base = try await Base()
        try await base.add(600)
        let workers = try (1...3).map { try base.sender("worker\($0)", gateway) }
        let tasks = workers.map { sender, _ in Task { try await sender.run() } }
        #expect(
            try await eventually {
                try await base.number("select count(*) from parley.push_job where outcome = 'delivered'") == 600
            })
        for (sender, pool) in workers {
            await sender.drain()
            await pool.shutdown()
        }
        for task in tasks { try await task.value }
        let sent = try await gateway.received("apns").compactMap { $0["headers"]?["apns-id"]?.string }
        #expect(sent.count == 600 && Set(sent).count == 600)
        #expect(try await base.number("select count(distinct worker) from parley.push_job") > 1)
        #expect(try await gateway.state()["violations"] == [])
        await base.pool.shutdown()
    }

    @Test func aWorkerThatDiesBeforeItSettlesCausesOneRepeatWithTheSameID() async throws {
        let gateway = try await PushGateway()
        let base = try await Base()
        try await base.add(1)
        let (first, pool) = try base.sender("first", gateway)
        // Accepted, and then the answer is long in coming.
        try await gateway.set(["script": ["*": [["delay": 2], [:]]]])
        let task = Task { try await first.run() }
        #expect(try await eventually { try await gateway.received("apns").count == 1 })
        await pool.shutdown()
        task.cancel()
        _ = await task.result
        // The lease runs out.
        _ = try await base.run("update parley.push_job set not_before = now()")
        let (second, other) = try base.sender("second", gateway)
        let run = Task { try await second.run() }
        #expect(
            try await eventually {
                try await base.number("select count(*) from parley.push_job where outcome = 'delivered'") == 1
            })
        await second.drain()
        try await run.value
        let sent = try await gateway.received("apns").compactMap { $0["headers"]?["apns-id"]?.string }
        #expect(sent.count == 2 && Set(sent).count == 1)
        #expect(try await base.number("select claim from parley.push_job") == 2)
        await other.shutdown()
        await base.pool.shutdown()
    }

    @Test func jobsOfAnUnknownFormWaitForAnotherWorker() async throws {
        let base = try await Base()
        try await base.add(3)
        _ = try await base.run(
            """
            update parley.push_job set content = '{"kind":"telepathy"}' where id = (select id from parley.push_job limit 1)
            """)
        let queue = DatabasePushQueue(pool: base.pool, worker: "worker")
        let wish = PushClaim(provider: .apns, lanes: PushJob.Lane.allCases, most: 10, paused: [#"a"b\c"#, "d,e"])
        #expect(try await queue.claim(wish).count == 2)
        #expect(try await base.run("select reason from parley.push_job where lease_until is null").rows.count == 1)
        #expect(try await queue.claim(wish).isEmpty)
        await base.pool.shutdown()
    }

    @Test func routesThatAreStoppedAreLeftInTheQueue() async throws {
        let gateway = try await PushGateway()
        let base = try await Base()
        try await base.add(100)
        try await gateway.set(["script": ["*": [["status": 403, "body": ["reason": "InvalidProviderToken"]]]]])
        let (sender, pool) = try base.sender("worker", gateway)
        let run = Task { try await sender.run() }
        #expect(
            try await eventually {
                try await base.number("select count(*) from parley.push_job where reason is not null") == 100
            })
        try await base.add(50)
        try await Task.sleep(for: .seconds(1))
        #expect(try await base.number("select count(*) from parley.push_job where claim = 0") == 50)
        #expect(try await base.number("select max(attempts) from parley.push_job") == 0)
        // The first one primes the connection, and its answer is the last.
        #expect(try await gateway.received("apns").count == 1)
        await sender.drain()
        try await run.value
        await pool.shutdown()
        await base.pool.shutdown()
    }
}
