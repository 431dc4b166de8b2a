internal import ParleyCore
internal import PostgresClient
internal import Support

/// What a worker that is given providers has more of: a feeder of the queue, senders, and connections of their own, so
/// that neither users nor notifications wait for each other.
final class PushService: Sendable {
    private static let connections = 3
    /// A send that has waited for so long is seen by its sender.
    private static let longWaiting = Duration.milliseconds(50)
    /// So long after the last of those nobody is taken to wait: that none does just now may be chance.
    private static let calm = Duration.milliseconds(200)

    let metrics = PushMetrics()
    /// The worker's first id in `parley.worker`: what was claimed under it must be settled under it.
    private let worker = Locked(String?.none)
    private let pool: PostgresPool
    private let sender: PushSender
    private let feeder: PushFeeder

    /// - Parameter waiting: how long the oldest command of a user has waited for a transaction; it goes first. Any thread.
    init(
        _ settings: PushSettings, _ configuration: ServeConfiguration, waiting: @escaping @Sendable () -> Duration,
        log: Log
    ) {
        let pressedUntil = Locked(ContinuousClock.now)
        let pace = PushPace {
            let isLong = waiting() >= Self.longWaiting
            return pressedUntil.withLock { until in
                if isLong { until = .now + Self.calm }
                return until > .now
            }
        }
        self.pool = PostgresPool(
            configuration.postgres("parley push"), size: Self.connections, maxQueued: 100,
            log: log.labelled("push-pool"))
        let worker = self.worker
        let queue = DatabasePushQueue(
            pool: self.pool, worker: { worker.withLock { $0 } }, secret: settings.secretKey,
            providerSet: settings.name)
        self.sender = PushSender(settings, queue: queue, metrics: self.metrics, pace: pace, log: log)
        self.feeder = PushFeeder(
            settings, queue: queue, sender: self.sender, metrics: self.metrics, pace: pace, log: log)
    }

    var services: [any Service] { [self.feeder, self.sender] }

    func registered(_ id: String) { self.worker.withLock { $0 = $0 ?? id } }

    /// There are new events. Any thread.
    func nudge(_ events: [LogEvent]) {
        guard !events.isEmpty else { return }
        self.feeder.nudge(isUrgent: events.contains { $0.kind.hasPrefix("call:") })
    }

    func shutdown() async { await self.pool.shutdown() }
}
