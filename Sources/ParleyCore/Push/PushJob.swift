/// One notification for one device, as the queue hands it out.
public struct PushJob: Sendable, Equatable {
    /// Kinds of work that do not wait for each other, the most urgent first.
    public enum Lane: String, Sendable, CaseIterable {
        case call, message
        /// Badges, and what takes back something shown.
        case quiet
    }

    /// A lower-case UUID, the same for every attempt: by it a provider or a device folds repeats.
    public var id: String
    /// Which claim of the job this is: what an earlier one settles does not count.
    public var claim: Int64
    public var lane: Lane
    /// Attempts so far, of those that count.
    public var attempts: Int
    /// Milliseconds since 1970; later nobody wants it.
    public var expiresAt: Int64
    /// Milliseconds since 1970: when what it tells of happened, if the queue says so.
    public var madeAt: Int64?
    /// Whom it is for; empty if the queue does not say.
    public var userID: String
    public var target: PushTarget
    public var content: PushContent

    public init(
        id: String, claim: Int64, lane: Lane, attempts: Int = 0, expiresAt: Int64, userID: String = "",
        target: PushTarget, content: PushContent
    ) {
        self.id = id
        self.claim = claim
        self.lane = lane
        self.attempts = attempts
        self.expiresAt = expiresAt
        self.userID = userID
        self.target = target
        self.content = content
    }

    /// The form of the queue: `{id, claim, lane, attempts, expires_at, created_at, user_id, target, content}`; nil for any
    /// other.
    public init?(json: JSONValue) {
        guard let id = json["id"]?.string, let lane = json["lane"]?.string.flatMap(Lane.init(rawValue:)),
            let expiresAt = json["expires_at"]?.int64, let target = json["target"].flatMap(PushTarget.init(json:)),
            let content = json["content"].flatMap(PushContent.init(json:))
        else { return nil }
        self.init(
            id: id, claim: json["claim"]?.int64 ?? 0, lane: lane, attempts: Int(json["attempts"]?.int64 ?? 0),
            expiresAt: expiresAt, userID: json["user_id"]?.string ?? "", target: target, content: content)
        self.madeAt = json["created_at"]?.int64
    }
}

/// Where a notification goes.
public struct PushTarget: Sendable, Equatable {
    public enum Provider: String, Sendable, CaseIterable { case apns, fcm, webpush, webhook }

    public var provider: Provider
    /// The app the token belongs to: a name among the credentials.
    public var appID: String
    /// The device token, the endpoint of a browser, or what a webhook calls the device.
    public var token: String
    /// Of APNs: `alert` or `voip`; of FCM: `token` or `fid`.
    public var kind: String
    /// Of APNs: made for its sandbox.
    public var isSandbox: Bool
    /// Keys of a browser's subscription in base64url.
    public var p256dh: String
    public var auth: String
    /// Of FCM: `ios` for an app on an Apple device.
    public var platform: String
    /// The language of the device, as its app says.
    public var locale: String
    /// Milliseconds since 1970: when the device last gave its token.
    public var registeredAt: Int64

    public init(
        _ provider: Provider, appID: String, token: String, kind: String = "alert", isSandbox: Bool = false,
        p256dh: String = "", auth: String = "", platform: String = "", locale: String = "",
        registeredAt: Int64 = 0
    ) {
        self.provider = provider
        self.appID = appID
        self.token = token
        self.kind = kind
        self.isSandbox = isSandbox
        self.p256dh = p256dh
        self.auth = auth
        self.platform = platform
        self.locale = locale
        self.registeredAt = registeredAt
    }

    /// `{provider, app_id, token, kind, environment, p256dh, auth, platform, locale, registered_at}`.
    public init?(json: JSONValue) {
        guard let provider = json["provider"]?.string.flatMap(Provider.init(rawValue:)),
            let appID = json["app_id"]?.string, let token = json["token"]?.string
        else { return nil }
        self.init(
            provider, appID: appID, token: token, kind: json["kind"]?.string ?? "alert",
            isSandbox: json["environment"]?.string == "sandbox", p256dh: json["p256dh"]?.string ?? "",
            auth: json["auth"]?.string ?? "", platform: json["platform"]?.string ?? "",
            locale: json["locale"]?.string ?? "", registeredAt: json["registered_at"]?.int64 ?? 0)
    }
}
