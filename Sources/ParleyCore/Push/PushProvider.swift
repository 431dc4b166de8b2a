/// What is special about a provider. No I/O, no state.
public protocol PushProvider: Sendable {
    /// Whether requests need a provider token.
    static var needsCredential: Bool { get }
    /// How long before its end a provider token is renewed.
    static var refreshAhead: Duration { get }
    /// A provider token younger than this cannot have expired, and must not be renewed.
    static var shortestRenewal: Duration { get }
    /// The least first pause after the provider said that it has a problem.
    static var shortestOutage: Duration { get }

    /// The request for a job.
    ///
    /// - Parameters:
    ///   - credential: the provider token; empty if none is needed.
    ///   - reduced: without anything but ids, because the whole was too large.
    /// - Throws: what settles the job without a request.
    func request(
        for job: PushJob, credential: String, reduced: Bool, now: PushMoment
    ) throws(PushRefusal) -> PushRequest

    /// What an answer with a status means.
    func judge(status: Int, body: [UInt8]) -> PushJudgement
}

/// Why a job cannot become a request.
public struct PushRefusal: Error, Sendable, Equatable {
    public var reason: String
    /// The token is none of the provider's.
    public var isToken: Bool

    public init(_ reason: String, isToken: Bool = false) {
        self.reason = reason
        self.isToken = isToken
    }
}

extension PushProvider {
    /// Seconds from now until the job is no longer wanted.
    func lifetime(_ job: PushJob, now: PushMoment, most: Int64) -> Int64 {
        max(0, min((job.expiresAt - now.unix) / 1000, most))
    }
}

public typealias APNsMachine = DeliveryMachine<APNs>
public typealias FCMMachine = DeliveryMachine<FCM>
public typealias WebPushMachine = DeliveryMachine<WebPush>
public typealias WebhookMachine = DeliveryMachine<Webhook>
