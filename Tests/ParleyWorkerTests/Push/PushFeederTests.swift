import FoundationEssentials
import ParleyCore
import PostgresClient
import PostgresTestKit
import Support
import Testing

@testable import ParleyWorker

/// What the database is asked, and when. The database's own functions have their tests in Tests/sql and Tests/push.
@Suite(.timeLimit(.minutes(3))) struct PushFeederTests {
    /// Of the events that wait it can do four in time.
    private static let functions = """
        create schema parley;
        create table parley.said (name text);
        create table parley.asked (batch integer);
        create table parley.waiting (events integer);
        insert into parley.waiting values (100);
        create function parley.configure_push(providers jsonb, worker text) returns boolean language sql as $$
            insert into parley.said values (worker) returning true
        $$;
        create function parley.enqueue_push(batch integer) returns integer language plpgsql as $$
        declare
            v_read integer := least(batch, (select events from parley.waiting));
        begin
            if v_read > 4 then
                raise exception using errcode = '57014', message = 'canceling statement due to statement timeout';
            end if;
            update parley.waiting set events = events - v_read;
            insert into parley.asked values (batch);
            return v_read;
        end
        $$;
        create function parley.push_queue_state() returns table (provider text, lane text, due bigint, age_ms bigint)
        language sql as $$ select 'apns', 'call', 1, 2 $$;
        create function parley.push_log_state() returns table (events bigint, age_ms bigint, resets bigint, skipped bigint)
        language sql as $$ select 3, 4, 5, 6 $$;
        """

    private func pool(_ script: String) async throws -> PostgresPool {
        let url = try await FreshDatabase.bare()
        try await blocking { try PostgresConnection(PostgresConfiguration(url: url)).execute(script: script) }
        return PostgresPool(
            PostgresConfiguration(url: url), size: 1, maxQueued: 10, log: Log(label: "test", sink: { _ in }))
    }

    private func feeder(
        _ pool: PostgresPool, _ metrics: PushMetrics = PushMetrics(), _ pace: PushPace = PushPace(), sayEvery: Duration
    ) throws -> PushFeeder {
        let path = FileManager.default.temporaryDirectory.path() + "/push-\(UUID().uuidString).json"
        _ = FileManager.default.createFile(atPath: path, contents: Data(#"{"name": "west"}"#.utf8))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let settings = try PushSettings.load(path)
        let log = Log(label: "push", sink: { _ in })
        let sender = PushSender(settings, queue: MemoryQueue([]), log: log)
        let queue = DatabasePushQueue(pool: pool, worker: { "7" }, providerSet: settings.name)
        return PushFeeder(
            settings, queue: queue, sender: sender, metrics: metrics, pace: pace, log: log, sayEvery: sayEvery)
    }

    private func number(_ sql: String, _ pool: PostgresPool) async throws -> Int64 {
        try await pool.run(Transaction([Statement(sql, [])]))[0].rows.first?.int64(0) ?? 0
    }

    private func eventually(_ sql: String, _ pool: PostgresPool, is expected: Int64) async throws -> Bool {
        let end = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < end {
            if try await self.number(sql, pool) == expected { return true }
            try await Task.sleep(for: .milliseconds(50))
        }
        return false
    }

    @Test func aNamedSetIsSaidAgainAndAgain() async throws {
        let pool = try await self.pool(Self.functions)
        let feeder = try self.feeder(pool, sayEvery: .milliseconds(100))
        let run = Task { try await feeder.run() }
        let sql = "select (count(*) >= 3)::integer from parley.said where name = 'west'"
        #expect(try await self.eventually(sql, pool, is: 1))
        run.cancel()
        _ = await run.result
        await pool.shutdown()
    }

    @Test func aBatchThatTakesTooLongShrinksUntilItPasses() async throws {
        let pool = try await self.pool(Self.functions)
        let metrics = PushMetrics()
        let feeder = try self.feeder(pool, metrics, sayEvery: .seconds(3600))
        let run = Task { try await feeder.run() }
        for _ in 0..<100 where try await self.number("select events from parley.waiting", pool) > 0 {
            feeder.nudge()
            try await Task.sleep(for: .milliseconds(100))
        }
        #expect(try await self.number("select events from parley.waiting", pool) == 0)
        #expect(metrics.text().contains("parley_push_events_behind 3\n"))
        #expect(metrics.text().contains("parley_push_log_resets_total 5\n"))
        #expect(metrics.text().contains("parley_push_events_skipped_total 6\n"))
        run.cancel()
        _ = await run.result
        await pool.shutdown()
    }

    /// Every other time it fails; else it reads a single event, which takes a second.
    @Test func whileUsersWaitOnlyWhoHasReadAllPausesLong() async throws {
        let change = """
            if nextval('parley.turn') % 2 = 1 then raise exception 'no'; end if;
            perform pg_sleep(1);
            v_read := least(1, v_read);
            if v_read > 4 then
            """
        let pool = try await self.pool(
            Self.functions.replacing(
                "create schema parley;", with: "create schema parley; create sequence parley.turn;"
            )
            .replacing("if v_read > 4 then", with: change))
        let feeder = try self.feeder(pool, PushMetrics(), PushPace { true }, sayEvery: .seconds(3600))
        let start = ContinuousClock.now
        let run = Task { try await feeder.run() }
        #expect(try await self.eventually("select (events <= 95)::integer from parley.waiting", pool, is: 1))
        // Ten pauses of three seconds, had it made them.
        #expect(ContinuousClock.now - start < .seconds(28))
        run.cancel()
        _ = await run.result
        await pool.shutdown()
    }

    @Test func whatTheFeederAsksEndsWithIt() async throws {
        let pool = try await self.pool(
            Self.functions.replacing("v_read integer :=", with: "v_wait text := pg_sleep(15); v_read integer :="))
        let feeder = try self.feeder(pool, sayEvery: .seconds(3600))
        let run = Task { try await feeder.run() }
        #expect(try await self.eventually("select count(*) from parley.said", pool, is: 1))
        try await Task.sleep(for: .milliseconds(300))
        let start = ContinuousClock.now
        run.cancel()
        _ = await run.result
        #expect(ContinuousClock.now - start < .seconds(5))
        await pool.shutdown()
    }
}
