import ParleyCore
import PostgresClient
import PostgresTestKit
import Support
import Testing

@testable import ParleyWorker

@Suite struct JobRunnerTests {
    /// A database of its own with one job, which takes its time and counts its runs, overlapping ones apart.
    private struct Work {
        let database: FreshDatabase
        let owner: PostgresPool

        init(period: Int, seconds: Double) async throws {
            self.database = try await FreshDatabase.make()
            self.owner = PostgresPool(
                PostgresConfiguration(url: self.database.ownerURL), size: 2, maxQueued: 100,
                log: Log(label: "test", sink: { _ in }))
            let statements = [
                "create table parley.run (started timestamptz, ended timestamptz)",
                """
                create function parley.work() returns boolean language sql security definer
                set search_path = pg_catalog, pg_temp as $$
                insert into parley.run select clock_timestamp();
                select pg_sleep(\(seconds));
                update parley.run set ended = clock_timestamp() where ended is null;
                select false $$
                """,
                "delete from parley.job",
                "insert into parley.job (name, period_seconds, description) values ('work', \(period), 'x')",
            ]
            _ = try await self.owner.run(Transaction(statements.map { Statement($0) }, timeout: .seconds(30)))
        }

        func pool() -> PostgresPool {
            PostgresPool(
                PostgresConfiguration(url: self.database.workerURL), size: 3, maxQueued: 100,
                log: Log(label: "test", sink: { _ in }))
        }

        func number(_ sql: String) async throws -> Int64 {
            try await self.owner.run(Transaction([Statement(sql)], timeout: .seconds(30)))[0].rows[0].int64(0) ?? -1
        }
    }

    @Test(.timeLimit(.minutes(2))) func ofManyRunnersOneRunsAJobAtATime() async throws {
        let work = try await Work(period: 1, seconds: 0.3)
        let pools = (0..<3).map { _ in work.pool() }
        let tasks = pools.map { pool in
            Task { try await JobRunner(pool: pool, log: Log(label: "test", sink: { _ in })).run() }
        }
        #expect(try await eventually { try await work.number("select count(*) from parley.run") >= 3 })
        for task in tasks { task.cancel() }
        for task in tasks { _ = await task.result }
        for pool in pools { await pool.shutdown() }
        let overlaps = """
            select count(*) from parley.run one inner join parley.run two
            on one.started < two.started and two.started < coalesce(one.ended, 'infinity') + interval '0.9 seconds'
            """
        #expect(try await work.number(overlaps) == 0)
        await work.owner.shutdown()
    }

    @Test(.timeLimit(.minutes(2))) func drainingWaitsForTheRunAndBeginsNoOther() async throws {
        let work = try await Work(period: 1, seconds: 1.5)
        let pool = work.pool()
        let runner = JobRunner(pool: pool, log: Log(label: "test", sink: { _ in }))
        let task = Task { try await runner.run() }
        // The lock of the job, while it runs.
        let sleeping = """
            select count(*) from pg_locks l inner join pg_database d on d.oid = l.database
            where l.locktype = 'advisory' and d.datname = current_database()
            """
        #expect(try await eventually { try await work.number(sleeping) == 1 })
        await runner.drain()
        try await task.value
        #expect(try await work.number("select count(*) from parley.run where ended is not null") == 1)
        #expect(try await work.number("select count(*) from parley.job where last_ok_at is not null") == 1)
        try await Task.sleep(for: .milliseconds(1_500))
        #expect(try await work.number("select count(*) from parley.run") == 1)
        await pool.shutdown()
        await work.owner.shutdown()
    }

    @Test(.timeLimit(.minutes(2))) func aFailureIsToldWithItsCodeAndNothingElse() async throws {
        let work = try await Work(period: 1, seconds: 0)
        let body = "begin raise exception using errcode = '53100', message = 'what a user wrote'; end"
        let change = """
            create or replace function parley.work() returns boolean language plpgsql security definer
            set search_path = pg_catalog, pg_temp as $$ \(body) $$
            """
        _ = try await work.owner.run(Transaction([Statement(change)]))
        let lines = Locked([String]())
        let pool = work.pool()
        let runner = JobRunner(
            pool: pool, log: Log(label: "jobs", sink: { line in lines.withLock { $0.append(line.text) } }))
        let task = Task { try await runner.run() }
        #expect(try await eventually { lines.withLock { $0.contains { $0.contains(#""failures":"2""#) } } })
        task.cancel()
        _ = await task.result
        await pool.shutdown()
        await work.owner.shutdown()
        let told = lines.withLock { $0 }
        #expect(told.allSatisfy { $0.contains(#""sqlstate":"53100""#) && $0.contains(#""job":"work""#) })
        #expect(!told.contains { $0.contains("what a user wrote") })
    }
}
