internal import ParleyCore
internal import PostgresClient
internal import Support

/// Fills the queue of push from the event log, and gives the senders what they can take.
///
/// What becomes a job is decided in the database (`parley.enqueue_push`), in one transaction with the position in the log.
/// One worker at a time does it; the others find it busy and come back. What its senders have room for it claims at once,
/// so that a notification waits for one transaction, and the rest they claim themselves.
struct PushFeeder: Service {
    let name = "push-feeder"
    /// Events of one transaction at most, and its time; the database ends it after about a second. Of the messages of a
    /// conversation that are read together one stands for all.
    private static let mostEvents = 40_000
    private static let longest = Duration.seconds(20)
    /// Between two of them: events that come close together become one.
    private static let gather = Duration.milliseconds(5)
    /// However quiet the log is: another worker may have left its work undone.
    private static let period = Duration.seconds(1)
    /// After one that failed, also where there is a call.
    private static let failurePause = Duration.milliseconds(250)
    /// Between looks at the queue, in seconds.
    private static let lookEvery = 10
    /// Who has not said for days what it has is taken for gone.
    private let sayEvery: Duration

    private let providers: String
    private let setName: String
    private let queue: DatabasePushQueue
    private let sender: PushSender
    private let metrics: PushMetrics
    private let pace: PushPace
    private let log: Log
    private let bells: AsyncStream<Void>
    private let bell: AsyncStream<Void>.Continuation
    /// There is a call: nobody is spared for it.
    private let isUrgent = Locked(false)

    init(
        _ settings: PushSettings, queue: DatabasePushQueue, sender: PushSender, metrics: PushMetrics,
        pace: PushPace = PushPace(),
        log: Log, sayEvery: Duration = .seconds(3600)
    ) {
        self.providers = String(decoding: settings.providers.serialized(), as: UTF8.self)
        self.setName = settings.name
        self.queue = queue
        self.sender = sender
        self.metrics = metrics
        self.pace = pace
        self.log = log
        self.sayEvery = sayEvery
        (self.bells, self.bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// There are new events. Any thread.
    func nudge(isUrgent: Bool = false) {
        if isUrgent { self.isUrgent.withLock { $0 = true } }
        self.bell.yield()
    }

    func run() async throws {
        let ticker = Task {
            while !Task.isCancelled {
                // Ends with the task.
                try? await Task.sleep(for: Self.period)
                self.bell.yield()
            }
        }
        defer { ticker.cancel() }
        while !(await self.sayProviders()) { try await Task.sleep(for: Self.period) }
        var said = ContinuousClock.now
        var looked = said - .seconds(Self.lookEvery)
        var most = Self.mostEvents
        // Not right after a failure: it may be a claim that fails, and the log has to get on.
        var claims = true
        for await _ in self.bells {
            try Task.checkCancellation()
            let begun = ContinuousClock.now
            let isUrgent = self.isUrgent.withLock { isUrgent in
                defer { isUrgent = false }
                return isUrgent
            }
            let reading = await self.enqueue(most, claims: claims, isUrgent: isUrgent)
            let time = ContinuousClock.now - begun
            var isBehind = true
            if case .read = reading { claims = true } else { claims = false }
            switch reading {
            case .read(let count):
                // The database ends a long one early; of later events `nudge` tells.
                isBehind = count >= most || time >= Self.period
                if isBehind { self.bell.yield() }
                if count > 0 { most = min(most * 2, Self.mostEvents) }
            // So that it gets on, however slow the database is.
            case .tookTooLong:
                most = max(1, most / 8)
                self.bell.yield()
            // The ticker sees to the next one.
            case .failed: try await Task.sleep(for: Self.failurePause)
            }
            // The call may be among the events that were not read.
            if isUrgent && isBehind { self.isUrgent.withLock { $0 = true } }
            if looked + .seconds(Self.lookEvery) < .now {
                looked = .now
                await self.look()
            }
            if said + self.sayEvery < .now {
                said = .now
                _ = await self.sayProviders()
            }
            try await self.pace.rest(.reading, after: max(Self.gather, time), isBehind: isBehind) {
                self.isUrgent.withLock { $0 }
            }
        }
    }

    private func sayProviders() async -> Bool {
        await self.ask("select parley.configure_push($1::jsonb, $2)", [self.providers, self.setName]) != nil
    }

    private enum Reading {
        case read(Int64)
        case tookTooLong, failed
    }

    private func enqueue(_ most: Int, claims: Bool, isUrgent: Bool) async -> Reading {
        let offers = claims ? await self.sender.offers() : []
        let result: Result<(read: Int64, jobs: [PushJob]), any Error>
        do {
            result = .success(try await self.queue.feed(most, offers.map(\.claim), timeout: Self.longest))
        } catch {
            result = .failure(error)
        }
        let jobs = (try? result.get().jobs) ?? []
        var isMore = offers.count < self.sender.count
        for offer in offers {
            let share = jobs.filter { $0.target.provider == offer.claim.provider }
            await offer.lane.receive(share, of: offer.claim)
            if share.count == offer.claim.most { isMore = true }
        }
        switch result {
        case .success(let (read, _)):
            if read > 0 && isMore { self.sender.nudge(isUrgent: isUrgent) }
            return .read(read)
        case .failure(let error as PostgresError):
            self.complain(error)
            return error.sqlState == "57014" || error.code == .timeout ? .tookTooLong : .failed
        case .failure: return .failed
        }
    }

    /// What waits, for the metrics.
    private func look() async {
        let rows = await self.ask("select provider, lane, due, age_ms from parley.push_queue_state()", [])
        guard let rows else { return }
        self.metrics.saw(
            rows.map { row in
                PushMetrics.QueueState(
                    provider: row.string(0) ?? "", lane: row.string(1) ?? "", due: row.int64(2) ?? 0,
                    age: row.int64(3) ?? 0)
            })
        let log = await self.ask("select events, age_ms, resets, skipped from parley.push_log_state()", [])
        if let row = log?.first {
            self.metrics.saw(
                PushMetrics.LogState(
                    events: row.int64(0) ?? 0, age: row.int64(1) ?? 0, resets: row.int64(2) ?? 0,
                    skipped: row.int64(3) ?? 0))
        }
    }

    private func ask(_ sql: String, _ parameters: [String]) async -> [Row]? {
        do throws(PostgresError) {
            return try await self.run(sql, parameters)
        } catch {
            self.complain(error)
            return nil
        }
    }

    /// Ends with the task.
    private func run(_ sql: String, _ parameters: [String]) async throws(PostgresError) -> [Row] {
        let transaction = Transaction([Statement(sql, parameters)], timeout: Self.longest)
        return try await self.queue.pool.runUnlessCancelled(transaction)[0].rows
    }

    private func complain(_ error: PostgresError) {
        // While the server stops there is nothing to complain of; of a database that takes no changes the tail has told.
        guard error.code != .shutdown, error.code != .cancelled, error.sqlState != "25006" else { return }
        self.log.warning(
            "events do not become push jobs", [("code", "\(error.code)"), ("sqlstate", error.sqlState ?? "")])
    }
}
