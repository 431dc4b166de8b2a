internal import ParleyCore
public import Support

/// Sends notifications once each, without a queue, to try out the settings of push.
public enum PushTrial {
    /// What is given is no job.
    public struct FormatError: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// - Parameters:
    ///   - path: the settings of push.
    ///   - lines: jobs in the form of the queue, one JSON object each.
    ///   - tell: called with the outcome of each as JSON, in the order they end.
    /// - Returns: whether all were delivered.
    /// - Throws: ``ConfigurationError``, or ``FormatError``.
    public static func run(
        settings path: String, lines: [String], log: Log, tell: @escaping @Sendable (String) -> Void
    ) async throws -> Bool {
        let settings = try PushSettings.load(path)
        let jobs = try lines.enumerated().map { number, line in
            guard let job = (try? JSONValue.parse(line)).flatMap(PushJob.init(json:)) else {
                throw FormatError(description: "line \(number + 1) is no push job")
            }
            return job
        }
        for job in jobs where !settings.has(job.target.provider) {
            throw FormatError(description: "the settings name no \(job.target.provider.rawValue)")
        }
        let queue = TrialQueue(jobs, tell: tell)
        let sender = PushSender(settings, queue: queue, log: log)
        let task = Task { try await sender.run() }
        for await _ in queue.ended {}
        await sender.drain()
        try await task.value
        return queue.deliveredAll
    }
}

/// Hands out each job once, and tells its first outcome.
private final class TrialQueue: PushQueue {
    private struct State: Sendable {
        var waiting: [PushJob]
        var open: Int
        var delivered = 0
    }

    let ended: AsyncStream<Void>
    private let end: AsyncStream<Void>.Continuation
    private let state: Locked<State>
    private let total: Int
    private let tell: @Sendable (String) -> Void

    init(_ jobs: [PushJob], tell: @escaping @Sendable (String) -> Void) {
        self.state = Locked(State(waiting: jobs, open: jobs.count))
        self.total = jobs.count
        self.tell = tell
        (self.ended, self.end) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        if jobs.isEmpty { self.end.finish() }
    }

    var deliveredAll: Bool { self.state.withLock { $0.delivered } == self.total }

    func claim(_ wish: PushClaim) async throws -> [PushJob] {
        self.state.withLock { state in
            var taken: [PushJob] = []
            var left: [PushJob] = []
            for job in state.waiting {
                let fits = job.target.provider == wish.provider && wish.lanes.contains(job.lane)
                if fits, taken.count < wish.most { taken.append(job) } else { left.append(job) }
            }
            state.waiting = left
            return taken
        }
    }

    func settle(_ settlements: [PushSettlement]) async throws {
        for settlement in settlements { self.tell(String(decoding: settlement.json.serialized(), as: UTF8.self)) }
        let delivered = settlements.count { $0.outcome == .delivered }
        let isOver = self.state.withLock { state in
            state.open -= settlements.count
            state.delivered += delivered
            return state.open <= 0
        }
        if isOver { self.end.finish() }
    }
}
