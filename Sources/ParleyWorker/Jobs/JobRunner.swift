internal import ParleyCore
internal import PostgresClient
internal import Support

/// Runs the jobs of the database (`parley.job`): scheduled messages, expiry, polls that close, upkeep.
///
/// Every worker has one. Who runs a job, and whether it is due, is decided in the database by `parley.run_job`; when to
/// ask is decided by `JobMachine`. A job's own failure is recorded there and only reported here.
struct JobRunner: Service {
    let name = "jobs"
    private let pool: PostgresPool
    private let log: Log
    private let policy: JobPolicy
    private let events: AsyncStream<JobMachine.Event>
    private let sink: AsyncStream<JobMachine.Event>.Continuation
    private let ended: AsyncStream<Void>
    private let end: AsyncStream<Void>.Continuation

    init(pool: PostgresPool, log: Log, policy: JobPolicy = JobPolicy()) {
        self.pool = pool
        self.log = log
        self.policy = policy
        // Of each kind of event there is one at a time, but for the jobs that run side by side and timers that were
        // replaced too late.
        (self.events, self.sink) = AsyncStream.makeStream(
            of: JobMachine.Event.self, bufferingPolicy: .bufferingOldest(policy.sideBySide + 32))
        (self.ended, self.end) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func run() async throws {
        defer { self.end.finish() }
        let clock = ContinuousClock()
        let start = clock.now
        var machine = JobMachine(policy: self.policy)
        var timer: Task<Void, Never>?
        defer { timer?.cancel() }
        self.sink.yield(.started)
        for await event in self.events {
            for action in machine.event(event, now: clock.now - start) {
                switch action {
                case .list: Task { self.sink.yield(await self.list()) }
                case .run(let job): Task { self.sink.yield(await self.run(job)) }
                case .wake(let time):
                    timer?.cancel()
                    timer = Task {
                        guard (try? await clock.sleep(until: start + time)) != nil else { return }
                        self.sink.yield(.woke)
                    }
                case .report(let job):
                    self.log.warning(
                        "a job failed",
                        [("job", job.name), ("sqlstate", job.code ?? ""), ("failures", "\(job.failures)")])
                case .finish: return
                }
            }
        }
        try Task.checkCancellation()
    }

    /// Finishes the jobs that run and begins no other.
    func drain() async {
        self.sink.yield(.drain)
        for await _ in self.ended {}
    }

    private func list() async -> JobMachine.Event {
        do throws(PostgresError) {
            let results = try await self.pool.run(
                Transaction(
                    [Statement("select name, wait_ms, failures, last_error_code from parley.due_jobs()")],
                    mode: .readOnly, timeout: .seconds(10), lane: .upkeep))
            return .listed(
                results[0].rows.map { row in
                    JobMachine.Job(
                        name: row.string(0) ?? "", wait: .milliseconds(row.int64(1) ?? 0), failures: row.int64(2) ?? 0,
                        code: row.string(3))
                })
        } catch {
            self.complain("jobs cannot be listed", error)
            return .listFailed
        }
    }

    private func run(_ job: String) async -> JobMachine.Event {
        do throws(PostgresError) {
            let results = try await self.pool.run(
                Transaction(
                    [Statement("select parley.run_job($1)", [job])], retriesOnConflict: 0, timeout: .seconds(30),
                    alone: true, lane: .upkeep))
            return .ran(job, more: results[0].rows.first?.bool(0) ?? false)
        } catch {
            self.complain("a job has no known end", error, [("job", job)])
            return .runFailed(job)
        }
    }

    private func complain(_ message: StaticString, _ error: PostgresError, _ data: [(String, String)] = []) {
        // While the server stops there is nothing to complain of; of a database that takes no changes the tail has told.
        guard error.code != .shutdown, error.sqlState != "25006" else { return }
        self.log.warning(message, data + [("code", "\(error.code)"), ("sqlstate", error.sqlState ?? "")])
    }
}
