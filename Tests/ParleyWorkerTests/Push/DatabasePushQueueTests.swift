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
        create function parley.settle_push_job(worker text, settlements jsonb)
        returns integer language sql as $$ insert into parley.told values (worker, settlements) returning 1 $$;
        """#

    @Test func jobsOfAnUnknownFormWaitForAnotherWorker() async throws {
        let url = try await FreshDatabase.bare()
        try await blocking {
            try PostgresConnection(PostgresConfiguration(url: url)).execute(script: Self.functions)
        }
        let pool = PostgresPool(
            PostgresConfiguration(url: url), size: 1, maxQueued: 10, log: Log(label: "test", sink: { _ in }))
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
}
