internal import ParleyCore
internal import PostgresClient
internal import Support

/// Where jobs come from and outcomes go. Both calls end early when their task is cancelled.
protocol PushQueue: Sendable {
    /// Takes jobs that are due, each for a lease of a minute.
    func claim(_ wish: PushClaim) async throws -> [PushJob]
    /// Tells how jobs ended. What is told twice counts once.
    func settle(_ settlements: [PushSettlement]) async throws
}

/// Which jobs a lane can take now.
struct PushClaim: Sendable, Equatable {
    var provider: PushTarget.Provider
    var lanes: [PushJob.Lane]
    var most: Int
    /// Routes that are stopped: apps, or origins of Web Push.
    var paused: [String]

    /// As `parley.feed_push` takes it.
    var json: JSONObject {
        [
            "provider": .string(self.provider.rawValue), "lanes": .array(self.lanes.map { .string($0.rawValue) }),
            "max": .int(Int64(self.most)), "paused": .array(self.paused.map { .string($0) }),
        ]
    }
}

/// The queue in the database.
///
/// - `parley.claim_push_jobs(worker text, lanes text[], max integer, provider text, paused text[], secret text,
///   provider_set text)` returns the jobs as JSON (`PushJob.init(json:)`), calls first, tenants taking turns, none of a
///   route in `paused`.
/// - `parley.feed_push(batch integer, worker text, claims jsonb, secret text, provider_set text)` reads the log first.
/// - `parley.settle_push_job(worker text, settlements jsonb)` takes an array of `PushSettlement.json`. Of a job whose
///   claim is another by now nothing counts.
struct DatabasePushQueue: PushQueue {
    let pool: PostgresPool
    /// This worker's id in `parley.worker`; nil as long as it has none.
    let worker: @Sendable () -> String?
    /// Opens sealed tokens; without it, jobs of devices whose tokens are sealed are not handed out.
    var secret: String?
    /// The name under which `configure_push` was told what this worker can send: jobs of other apps are not for it.
    let providerSet: String

    func claim(_ wish: PushClaim) async throws -> [PushJob] {
        // What is claimed under one name must be settled under it.
        guard let worker = self.worker() else { return [] }
        let lanes = "{" + wish.lanes.map(\.rawValue).joined(separator: ",") + "}"
        let results = try await self.pool.runUnlessCancelled(
            Transaction([
                Statement(
                    "select job from parley.claim_push_jobs($1, $2::text[], $3, $4, $5::text[], $6, $7) as job",
                    [
                        worker, lanes, String(wish.most), wish.provider.rawValue, Self.array(wish.paused),
                        self.secret, self.providerSet,
                    ])
            ]))
        return try await self.jobs(results[0].rows.map { $0[0] ?? [] })
    }

    /// Turns at most so many events of the log into jobs, and claims some of what is due then in the same transaction.
    /// - Returns: how many events it read.
    func feed(_ most: Int, _ claims: [PushClaim], timeout: Duration) async throws -> (read: Int64, jobs: [PushJob]) {
        let worker = self.worker()
        let statement: Statement
        if claims.isEmpty || worker == nil {
            statement = Statement("select parley.enqueue_push($1::integer)", [String(most)])
        } else {
            let list = JSONValue.array(claims.map { .object($0.json) }).serialized()
            statement = Statement(
                "select read, job from parley.feed_push($1::integer, $2, $3::jsonb, $4, $5)",
                [String(most), worker, String(decoding: list, as: UTF8.self), self.secret, self.providerSet])
        }
        let rows = try await self.pool.runUnlessCancelled(Transaction([statement], timeout: timeout))[0].rows
        return (rows.first?.int64(0) ?? 0, try await self.jobs(rows.dropFirst().map { $0[1] ?? [] }))
    }

    private func jobs(_ texts: [[UInt8]]) async throws -> [PushJob] {
        var jobs: [PushJob] = []
        var unknown: [PushSettlement] = []
        for text in texts {
            let json = try JSONValue.parse(text)
            if let job = PushJob(json: json) {
                jobs.append(job)
            } else if let id = json["id"]?.string {
                // Of a database that is newer: for a worker that is, too.
                unknown.append(
                    PushSettlement(
                        jobID: id, claim: json["claim"]?.int64 ?? 0, .retry(after: .seconds(60), counts: false),
                        "unknown form"))
            }
        }
        if !unknown.isEmpty { try await self.settle(unknown) }
        return jobs
    }

    func settle(_ settlements: [PushSettlement]) async throws {
        let list = JSONValue.array(settlements.map { .object($0.json) }).serialized()
        _ = try await self.pool.runUnlessCancelled(
            Transaction([
                Statement(
                    "select parley.settle_push_job($1, $2::jsonb)",
                    [self.worker(), String(decoding: list, as: UTF8.self)])
            ]))
    }

    /// An array literal.
    private static func array(_ texts: [String]) -> String {
        let quoted = texts.map { text in
            "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return "{" + quoted.joined(separator: ",") + "}"
    }
}
