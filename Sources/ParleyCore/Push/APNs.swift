/// Apple Push Notification service, with a provider token (ES256).
///
/// [Sending notification requests to APNs](https://developer.apple.com/documentation/usernotifications)
public struct APNs: PushProvider {
    public static let production = "https://api.push.apple.com"
    public static let sandbox = "https://api.sandbox.push.apple.com"
    /// A token older than an hour is refused.
    public static let tokenLife = Duration.seconds(3600)

    public static let needsCredential = true
    public static let refreshAhead = Duration.seconds(900)
    public static let shortestRenewal = Duration.seconds(20 * 60)
    public static let shortestOutage = Duration.seconds(30)

    static let longestAlert = 4096
    static let longestVoIP = 5120
    private static let longestCollapseID = 64

    /// Without a slash at its end.
    let url: String
    /// The bundle id of the app.
    let topic: String

    public init(url: String, topic: String) {
        self.url = url
        self.topic = topic
    }

    /// How a kind of notification is sent.
    private struct Form {
        var type = "alert"
        var priority = "10"
        var topic: String
        var limit = APNs.longestAlert
    }

    public func request(
        for job: PushJob, credential: String, reduced: Bool, now: PushMoment
    ) throws(PushRefusal) -> PushRequest {
        let token = job.target.token
        guard (2...512).contains(token.utf8.count), token.utf8.count % 2 == 0,
            token.utf8.allSatisfy({ Hex.value(of: $0) != nil })
        else { throw PushRefusal("the token is not hexadecimal", isToken: true) }
        let content = reduced ? job.content.reduced : job.content
        let form = try self.form(content, isVoIP: job.target.kind == "voip")
        let body = PayloadFit.bytes(content, limit: form.limit) { Self.payload($0, form.type).serialized() }
        guard let body else { throw PushRefusal("the identifiers alone exceed \(form.limit) bytes") }
        var headers = [
            HeaderField("authorization", "bearer " + credential),
            HeaderField("apns-id", job.id),
            HeaderField("apns-topic", form.topic),
            HeaderField("apns-push-type", form.type),
            HeaderField("apns-priority", form.priority),
            HeaderField("apns-expiration", String(max(0, job.expiresAt / 1000))),
            HeaderField("content-type", "application/json"),
        ]
        if let collapse = content.collapse, collapse.utf8.count <= Self.longestCollapseID {
            headers.append(HeaderField("apns-collapse-id", collapse))
        }
        return PushRequest(url: "\(self.url)/3/device/\(token)", headers: headers, body: body)
    }

    private func form(_ content: PushContent, isVoIP: Bool) throws(PushRefusal) -> Form {
        if isVoIP {
            // An app that gets such a push and rings nobody is ended by the system.
            guard content.kind == .call else { throw PushRefusal("only a call may go to a VoIP token") }
            return Form(type: "voip", topic: self.topic + ".voip", limit: Self.longestVoIP)
        }
        switch content.kind {
        case .message, .call, .callEnd: return Form(topic: self.topic)
        case .badge: return Form(priority: "5", topic: self.topic)
        case .clear: return Form(type: "background", priority: "5", topic: self.topic)
        }
    }

    private static func payload(_ content: PushContent, _ type: String) -> JSONObject {
        var payload: JSONObject = ["aps": .object(self.aps(content, type))]
        guard content.kind != .badge else { return payload }
        var own = content.identifiers
        if type == "voip" {
            own["title"] = content.shownTitle.map { .string($0) }
            own["body"] = content.shownBody.map { .string($0) }
        }
        payload["parley"] = .object(own)
        return payload
    }

    static func aps(_ content: PushContent, _ type: String = "alert") -> JSONObject {
        switch type {
        case "voip": return [:]
        case "background": return ["content-available": 1]
        default: break
        }
        var aps = JSONObject()
        if content.kind != .badge {
            var alert = JSONObject()
            alert["title"] = content.shownTitle.map { .string($0) }
            if let body = content.shownBody {
                alert["body"] = .string(body)
            } else if let key = content.locKey {
                alert["loc-key"] = .string(key)
                let arguments = content.shownArguments
                if !arguments.isEmpty { alert["loc-args"] = .array(arguments.map { .string($0) }) }
            } else {
                alert["body"] = .string(content.fixedText)
            }
            aps["alert"] = .object(alert)
            if !content.isSilent { aps["sound"] = "default" }
            aps["interruption-level"] = content.isSilent ? "passive" : content.kind == .call ? "time-sensitive" : nil
            aps["thread-id"] = content.conversationID.map { .string($0) }
            aps["category"] = content.category.map { .string($0) }
            // The app may put what it fetched, or decrypted, in place of this.
            aps["mutable-content"] = 1
            // So that an app that rings by CallKit, where no push may follow, learns that it is over.
            if content.kind == .callEnd { aps["content-available"] = 1 }
        }
        aps["badge"] = content.badge.map { .int($0) }
        return aps
    }
}
