import ParleyCore
import Testing

/// Jobs and moments for the tests of push.
enum PushFixture {
    static let start: Int64 = 1_800_000_000_000
    static let token = String(repeating: "0a", count: 32)
    static let conversation = "0190aaaa-0000-7000-8000-000000000001"

    static func moment(_ seconds: Double) -> PushMoment {
        PushMoment(steady: .milliseconds(Int64(seconds * 1000)), unix: Self.start + Int64(seconds * 1000))
    }

    static func content(_ kind: PushContent.Kind = .message, _ privacy: PushContent.Privacy = .full) -> PushContent {
        var content = PushContent(kind, privacy: privacy)
        content.conversationID = Self.conversation
        content.seq = 7
        content.title = "Trip"
        content.sender = "Alice"
        content.body = "Where are you?"
        content.badge = 3
        return content
    }

    static func job(
        _ number: Int, _ provider: PushTarget.Provider = .apns, _ content: PushContent = Self.content(),
        lane: PushJob.Lane = .message, attempts: Int = 0, life: Double = 3600, kind: String = "alert",
        registeredAt: Int64 = 0, user: String = "user"
    ) -> PushJob {
        PushJob(
            id: "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - "\(number)".count) + "\(number)",
            claim: 1, lane: lane, attempts: attempts, expiresAt: Self.start + Int64(life * 1000), userID: user,
            target: PushTarget(
                provider, appID: "com.example.chat", token: Self.token, kind: kind, registeredAt: registeredAt),
            content: content)
    }

    static func answer(_ status: Int, _ reason: String? = nil, timestamp: Int64? = nil, after: String? = nil)
        -> PushAnswer
    {
        var object = JSONObject()
        object["reason"] = reason.map { .string($0) }
        object["timestamp"] = timestamp.map { .int($0) }
        return .response(status: status, body: object.isEmpty ? [] : object.serialized(), retryAfter: after)
    }
}

/// A machine that has its provider token, and what it did.
struct Rig<Provider: PushProvider> {
    var machine: DeliveryMachine<Provider>
    var sent: [String: PushRequest] = [:]
    var order: [String] = []
    var settled: [PushSettlement] = []
    var reports: [DeliveryMachine<Provider>.Report] = []
    var renewals = 0
    /// Of a provider token.
    var life = Duration.seconds(3600)
    var wakesAt: Duration?

    init(_ provider: Provider, policy: PushPolicy = PushPolicy()) {
        self.machine = DeliveryMachine(provider, policy: policy, seed: 1)
    }

    mutating func feed(_ event: DeliveryMachine<Provider>.Event, at seconds: Double, renew: Bool = true) {
        let now = PushFixture.moment(seconds)
        var renews = false
        for action in self.machine.event(event, now: now) {
            switch action {
            case .send(let id, let request):
                self.sent[id] = request
                self.order.append(id)
            case .settle(let settlement): self.settled.append(settlement)
            case .renew:
                self.renewals += 1
                renews = true
            case .wake(let time): self.wakesAt = time
            case .report(let report): self.reports.append(report)
            }
        }
        if renews, renew { self.feed(.renewed("token\(self.renewals)", life: self.life), at: seconds) }
    }

    mutating func claim(_ jobs: [PushJob], at seconds: Double = 0) { self.feed(.claimed(jobs), at: seconds) }

    /// Answers what is under way with that id.
    mutating func answer(_ job: PushJob, _ answer: PushAnswer, at seconds: Double = 0) {
        self.sent[job.id] = nil
        self.feed(.answered(job.id, answer), at: seconds)
    }

    /// The first answer of a connection, so that it takes many.
    mutating func open(at seconds: Double = 0) {
        let first = PushFixture.job(999_999)
        self.claim([first], at: seconds)
        self.answer(first, PushFixture.answer(200), at: seconds)
        self.settled = []
        self.order = []
    }

    var last: PushSettlement.Outcome? { self.settled.last?.outcome }
}
