import ParleyCore
import PostgresClient
import PostgresTestKit
import Support
import Testing

@testable import ParleyWorker

/// What the queue in the database is asked, and what becomes of a form that this worker does not know. The database's own
/// functions have their tests in Tests/push.
@Suite(.timeLimit(.minutes(3))) struct DatabasePushQueueTests {
    private static let functions = #"""
        create schema parley;
        create table parley.told (worker text, settlements jsonb);
        create function parley.claim_push_jobs(worker text, lanes text[], max integer, provider text, paused text[], secret text, provider_set text)
        returns setof jsonb language sql as $$
            select jsonb_build_object(
                'id', n::text, 'claim', n, 'lane', 'message', 'expires_at', 1, 'created_at', 5,
                'target', jsonb_build_object('provider', provider, 'app_id', 'app', 'token', secret),
                'content', jsonb_build_object('kind', case n when 2 then 'telepathy' else 'message' end))
            from generate_series(1, max) n
            where worker = '7' and lanes = '{call,message,quiet}' and paused = array['a"b\c', 'd,e'] and provider_set = 'half'
        $$;
        create function parley.enqueue_push(batch integer) returns integer language sql as $$ select batch + 1 $$;
        create function parley.feed_push(batch integer, worker text, claims jsonb, secret text, provider_set text)
        returns table (read integer, job jsonb) language sql as $$
            select batch, null::jsonb
            union all
            select null, j
            from jsonb_to_recordset(claims) as c (provider text, lanes text[], max integer, paused text[])
            cross join lateral parley.claim_push_jobs(worker, lanes, max, provider, paused, secret, provider_set) as j
        $$;
        create function parley.settle_push_job(worker text, settlements jsonb)
        returns integer language sql as $$ insert into parley.told values (worker, settlements) returning 1 $$;
        """#

    private static func pool() async throws -> PostgresPool {
        let url = try await FreshDatabase.bare()
        try await blocking {
            try PostgresConnection(PostgresConfiguration(url: url)).execute(script: self.functions)
        }
        return PostgresPool(
            PostgresConfiguration(url: url), size: 1, maxQueued: 10, log: Log(label: "test", sink: { _ in }))
    }

    @Test func jobsOfAnUnknownFormWaitForAnotherWorker() async throws {
        let pool = try await Self.pool()
        let queue = DatabasePushQueue(pool: pool, worker: { "7" }, secret: "the key", providerSet: "half")
        let wish = PushClaim(provider: .apns, lanes: PushJob.Lane.allCases, most: 3, paused: [#"a"b\c"#, "d,e"])
        let jobs = try await queue.claim(wish)
        #expect(jobs.map(\.id) == ["1", "3"] && jobs.allSatisfy { $0.target.token == "the key" && $0.madeAt == 5 })
        let told = try await pool.run(Transaction([Statement("select worker, settlements from parley.told", [])]))[0]
        #expect(told.rows.count == 1 && told.rows[0].string(0) == "7")
        let settlements = try JSONValue.parse(told.rows[0][1] ?? [])
        #expect(settlements.array?.first?["outcome"] == "retry" && settlements.array?.first?["counts"] == false)
        await pool.shutdown()
    }

    @Test func whatIsReadIsClaimedAtOnce() async throws {
        let pool = try await Self.pool()
        let queue = DatabasePushQueue(pool: pool, worker: { "7" }, secret: "the key", providerSet: "half")
        let claim = { PushClaim(provider: $0, lanes: PushJob.Lane.allCases, most: $1, paused: [#"a"b\c"#, "d,e"]) }
        let claims = [claim(.apns, 1), claim(.fcm, 3)]
        let (read, jobs) = try await queue.feed(40, claims, timeout: .seconds(20))
        #expect(read == 40 && jobs.map { "\($0.target.provider) \($0.id)" } == ["apns 1", "fcm 1", "fcm 3"])
        // Without a name of its own it claims nothing.
        let nameless = DatabasePushQueue(pool: pool, worker: { nil }, providerSet: "half")
        let (readAlone, none) = try await nameless.feed(40, claims, timeout: .seconds(20))
        #expect(readAlone == 41 && none.isEmpty)
        await pool.shutdown()
    }
}
