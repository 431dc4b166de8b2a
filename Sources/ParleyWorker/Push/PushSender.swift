internal import Crypto
internal import HTTPClient
internal import ParleyCore
internal import Support

/// Delivers push notifications: a lane for each provider that is set up.
struct PushSender: Service {
    let name = "push"
    private let lanes: [any PushLaneRunner]

    init(
        _ settings: PushSettings, queue: any PushQueue, bounds: PushBounds = PushBounds(),
        metrics: PushMetrics = PushMetrics(), pace: PushPace = PushPace(), log: Log
    ) {
        var policy = PushPolicy(mostInFlight: settings.mostInFlight, perSecond: settings.perSecond)
        var lanes: [any PushLaneRunner] = []
        if !settings.apns.isEmpty {
            lanes.append(
                PushLane(
                    settings.apnsRoutes, policy: policy, bounds: bounds, queue: queue, metrics: metrics, pace: pace,
                    log: log))
        }
        if !settings.fcm.isEmpty {
            lanes.append(
                PushLane(
                    settings.fcmRoutes, policy: policy, bounds: bounds, queue: queue, metrics: metrics, pace: pace,
                    log: log))
        }
        if let webPush = settings.webPush {
            lanes.append(
                PushLane(
                    settings.webPushRoutes(webPush), policy: policy, bounds: bounds, queue: queue, metrics: metrics,
                    pace: pace, log: log))
        }
        if !settings.webhooks.isEmpty {
            // A host's own server: fewer at once.
            policy.mostInFlight = min(policy.mostInFlight, 16)
            lanes.append(
                PushLane(
                    settings.webhookRoutes, policy: policy, bounds: bounds, queue: queue, metrics: metrics, pace: pace,
                    log: log))
        }
        self.lanes = lanes
    }

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in self.lanes { group.addTask { try await lane.run() } }
            try await group.waitForAll()
        }
    }

    func drain() async {
        await withTaskGroup(of: Void.self) { group in
            for lane in self.lanes { group.addTask { await lane.drain() } }
        }
    }

    var count: Int { self.lanes.count }

    /// What may be claimed for the lanes; each must be `receive`d then.
    func offers() async -> [(lane: any PushLaneRunner, claim: PushClaim)] {
        var offers: [(lane: any PushLaneRunner, claim: PushClaim)] = []
        for lane in self.lanes {
            if let claim = await lane.offer() { offers.append((lane, claim)) }
        }
        return offers
    }

    /// There may be jobs, and urgent ones. Any thread.
    func nudge(isUrgent: Bool = false) {
        for lane in self.lanes { Task { await lane.nudge(isUrgent: isUrgent) } }
    }
}

/// A lane, whatever its provider.
protocol PushLaneRunner: Actor {
    func run() async throws
    func drain() async
    func offer() -> PushClaim?
    func receive(_ jobs: [PushJob], of offer: PushClaim)
    func nudge(isUrgent: Bool)
}

extension PushLane: PushLaneRunner {}
