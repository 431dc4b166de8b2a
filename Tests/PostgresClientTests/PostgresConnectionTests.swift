import PostgresClient
import PostgresTestKit
import Support
import Testing

@Suite struct PostgresConnectionTests {
    @Test func queriesAnswerAndErrorsLeaveItUsable() async throws {
        let configuration = try TestDatabase.owner()
        try await blocking {
            let connection = try PostgresConnection(configuration)
            let row = try connection.query("select $1::int + 1, null::text, true", ["41"]).rows[0]
            #expect(row.int64(0) == 42 && row.string(1) == nil && row.bool(2) == true)
            for _ in 0..<3 {
                let error = #expect(throws: PostgresError.self) { try connection.query("select 1 / $1::int", ["0"]) }
                #expect(error?.sqlState == "22012")
                #expect(connection.isOpen)
            }
            #expect(try connection.query("select 1").rows.count == 1)
        }
    }

    @Test func anotherSessionsNotificationEndsTheWait() async throws {
        let configuration = try TestDatabase.owner()
        let channel = TestDatabase.uniqueName("bell")
        let pool = PostgresPool(configuration, size: 1, maxQueued: 10, log: .init(label: "test", sink: { _ in }))
        let listens = Locked(false)
        async let waking = blocking {
            let connection = try PostgresConnection(configuration)
            try connection.listen(channel)
            listens.withLock { $0 = true }
            let start = ContinuousClock.now
            return (try connection.wait(upTo: .seconds(20)), ContinuousClock.now - start)
        }
        #expect(try await eventually { listens.withLock { $0 } })
        let statement = Statement("select pg_notify($1, '')", [channel])
        _ = try await pool.run(Transaction([statement]))
        let (reason, took) = try await waking
        #expect(reason == .notification)
        #expect(took < .seconds(10))
        await pool.shutdown()
    }

    @Test func aNotificationThatCameWithAnAnswerIsNotLost() async throws {
        let configuration = try TestDatabase.owner()
        let channel = TestDatabase.uniqueName("bell")
        try await blocking {
            let connection = try PostgresConnection(configuration)
            try connection.listen(channel)
            _ = try connection.query("select pg_notify($1, '')", [channel])
            #expect(try connection.wait(upTo: .seconds(5)) == .notification)
            #expect(try connection.wait(upTo: .milliseconds(50)) == .timeout)
            _ = try connection.query("select pg_notify($1, '')", [channel])
            try connection.forgetNotifications()
            #expect(try connection.wait(upTo: .milliseconds(50)) == .timeout)
        }
    }

    @Test func anInterruptEndsTheWait() async throws {
        let configuration = try TestDatabase.owner()
        let interrupter = PostgresConnection.Interrupter()
        let isConnected = Locked(false)
        async let waking = blocking {
            let connection = try PostgresConnection(configuration, interrupter: interrupter)
            isConnected.withLock { $0 = true }
            let first = try connection.wait(upTo: .seconds(30))
            // It stays interrupted until allowed again, but answers queries.
            let second = try connection.wait(upTo: .seconds(30))
            _ = try connection.query("select 1")
            interrupter.reset()
            return [first, second, try connection.wait(upTo: .milliseconds(20))]
        }
        #expect(try await eventually { isConnected.withLock { $0 } })
        interrupter.interrupt()
        #expect(try await waking == [.interrupted, .interrupted, .timeout])
    }

    @Test func aLateAnswerIsATimeoutAndEndsTheConnection() async throws {
        let configuration = try TestDatabase.owner()
        try await blocking {
            let connection = try PostgresConnection(configuration)
            let error = #expect(throws: PostgresError.self) {
                try connection.query("select pg_sleep(20)", timeout: .milliseconds(200))
            }
            #expect(error?.code == .timeout && error?.outcomeUnknown == true)
            #expect(!connection.isOpen)
            #expect(throws: PostgresError.self) { try connection.query("select 1") }
        }
    }

    @Test func aKilledSessionIsNoticedWhileWaiting() async throws {
        let name = TestDatabase.uniqueName("victim")
        let configuration = try TestDatabase.owner(name)
        let pool = PostgresPool(
            try TestDatabase.owner(), size: 1, maxQueued: 10, log: .init(label: "test", sink: { _ in }))
        async let failure = blocking {
            let connection = try PostgresConnection(configuration)
            return #expect(throws: PostgresError.self) { try connection.wait(upTo: .seconds(30)) }?.code
        }
        #expect(
            try await eventually {
                try await pool.run("select 1 from pg_stat_activity where application_name = $1", [name]).rows.count == 1
            })
        try await pool.terminate(name)
        #expect(try await failure == .connectionLost)
        await pool.shutdown()
    }

    @Test func nobodyThereIsAConnectFailure() async throws {
        try await blocking {
            let error = #expect(throws: PostgresError.self) {
                try PostgresConnection(PostgresConfiguration(url: "postgresql://nobody@127.0.0.1:1/none"))
            }
            #expect(error?.code == .connectFailed)
        }
    }

    @Test func theConnectionStringIsNeverPrinted() {
        let configuration = PostgresConfiguration(url: "postgresql://u:hunter2@h/d")
        #expect(!"\(configuration)\(String(reflecting: configuration))".contains("hunter2"))
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!dumped.contains("hunter2"))
    }
}
