/// A request to a provider, but for what needs a key: a machine makes it, and a service seals and sends it.
public struct PushRequest: Sendable, Equatable {
    /// What is done to the body before it is sent.
    public enum Sealing: Sendable, Equatable {
        case none
        /// Encrypted for a browser, padded so that its length says little.
        case webPush(p256dh: String, auth: String, paddedTo: Int)
        /// Signed; the signature is over `id.timestamp.body`.
        case webhook(id: String, timestamp: Int64)
    }

    public var url: String
    public var headers: [HeaderField]
    public var body: [UInt8]
    public var sealing = Sealing.none
    /// On a connection that has not been used.
    public var freshConnection = false
}

/// How a request ended.
public enum PushAnswer: Sendable, Equatable {
    case response(status: Int, body: [UInt8], retryAfter: String?)
    /// Without an answer: the connection broke, or was never made. It may have been processed.
    case lost(String)
    /// No answer in time. It may have been processed.
    case timeout
    /// It can never be sent: the address is refused, or the keys of the browser are none.
    case impossible(String)
}

/// What an answer means.
public struct PushJudgement: Sendable, Equatable {
    public enum Verdict: Sendable, Equatable {
        case delivered
        /// The device is gone; if `since` (milliseconds since 1970) is known, a token registered after it is not.
        case deadToken(since: Int64?)
        /// It will never be accepted, and the device is not at fault.
        case badJob
        /// App, key or project do not belong together: the device was registered for others, or the settings are wrong,
        /// and then none is accepted.
        case mismatched
        case tooLarge
        case expiredCredential
        /// None is accepted with these credentials.
        case refusedCredential
        /// Renewed too often; the one before is still good on a new connection.
        case renewedTooOften
        /// Too many, for this device or altogether; not before `floor`.
        case throttled(floor: Duration)
        /// The provider has a problem; not before `floor`.
        case unavailable(floor: Duration)
        /// The connection is at its end, and nothing else is wrong.
        case closing
        /// Nobody knows; `isConnection`: of everything on that connection.
        case lost(isConnection: Bool)
    }

    public var verdict: Verdict
    /// The provider's word for it, or ours.
    public var reason: String

    /// - Parameter reason: cut down to what can be kept and logged, since it may be anybody's text.
    init(_ verdict: Verdict, _ reason: String) {
        self.verdict = verdict
        let plain = reason.utf8.lazy.filter { $0 >= 0x20 && $0 < 0x7f }.prefix(64)
        self.reason = String(decoding: Array(plain), as: UTF8.self)
    }
}

/// What the queue is told of a job.
public struct PushSettlement: Sendable, Equatable {
    public enum Outcome: Sendable, Equatable {
        case delivered
        /// Nobody gets it, and the token goes, unless it was registered after `before` (milliseconds since 1970).
        case deadToken(before: Int64)
        case retry(after: Duration, counts: Bool)
        /// Nobody gets it; kept with its reason.
        case dead
    }

    public var jobID: String
    public var claim: Int64
    public var outcome: Outcome
    public var reason: String
    /// Of the job; not told to the queue.
    public var madeAt: Int64?

    public init(_ job: PushJob, _ outcome: Outcome, _ reason: String) {
        self.init(jobID: job.id, claim: job.claim, outcome, reason)
        self.madeAt = job.madeAt
    }

    /// A job that cannot be sent.
    public init(_ job: PushJob, _ refusal: PushRefusal) {
        self.init(job, refusal.isToken ? .deadToken(before: job.target.registeredAt) : .dead, refusal.reason)
    }

    public init(jobID: String, claim: Int64, _ outcome: Outcome, _ reason: String) {
        self.jobID = jobID
        self.claim = claim
        self.outcome = outcome
        self.reason = reason
    }

    /// `{id, claim, outcome, reason, after_ms, counts, before}`; the outcomes are `delivered`, `dead_token`, `retry`, `dead`.
    public var json: JSONObject {
        var object: JSONObject = ["id": .string(self.jobID), "claim": .int(self.claim)]
        switch self.outcome {
        case .delivered: object["outcome"] = "delivered"
        case .dead: object["outcome"] = "dead"
        case .deadToken(let before):
            object["outcome"] = "dead_token"
            object["before"] = .int(before)
        case .retry(let after, let counts):
            object["outcome"] = "retry"
            object["after_ms"] = .int(after.milliseconds)
            object["counts"] = .bool(counts)
        }
        object["reason"] = .string(self.reason)
        return object
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: Int64 {
        self.components.seconds * 1000 + self.components.attoseconds / 1_000_000_000_000_000
    }
}

/// Both clocks at one moment.
public struct PushMoment: Sendable, Equatable {
    /// Of a clock that nobody sets, from any origin.
    public var steady: Duration
    /// Milliseconds since 1970.
    public var unix: Int64

    public init(steady: Duration, unix: Int64) {
        self.steady = steady
        self.unix = unix
    }

    var unixSeconds: Int64 { self.unix / 1000 }
}
