/// Firebase Cloud Messaging, HTTP v1, with an access token of a service account.
///
/// [REST reference](https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages)
public struct FCM: PushProvider {
    public static let service = "https://fcm.googleapis.com"
    /// What an access token has to allow.
    public static let scope = "https://www.googleapis.com/auth/firebase.messaging"

    public static let needsCredential = true
    public static let refreshAhead = Duration.seconds(300)
    public static let shortestRenewal = Duration.seconds(60)
    public static let shortestOutage = Duration.seconds(10)

    /// Google counts 4096 bytes of names and values; this counts the whole message.
    static let longestMessage = 4000
    private static let longestLife: Int64 = 2_419_200

    /// Without a slash at its end.
    let url: String
    let projectID: String
    /// The one app that may get it; nil if any of the project may.
    let packageName: String?

    public init(url: String = Self.service, projectID: String, packageName: String? = nil) {
        self.url = url
        self.projectID = projectID
        self.packageName = packageName
    }

    public func request(
        for job: PushJob, credential: String, reduced: Bool, now: PushMoment
    ) throws(PushRefusal) -> PushRequest {
        guard !job.target.token.isEmpty else { throw PushRefusal("the token is empty", isToken: true) }
        let content = reduced ? job.content.reduced : job.content
        let body = PayloadFit.bytes(content, limit: Self.longestMessage) { content in
            JSONObject(dictionaryLiteral: ("message", .object(self.message(content, job, now)))).serialized()
        }
        guard let body else { throw PushRefusal("the identifiers alone exceed \(Self.longestMessage) bytes") }
        return PushRequest(
            url: "\(self.url)/v1/projects/\(self.projectID)/messages:send",
            headers: [
                HeaderField("authorization", "Bearer " + credential), HeaderField("content-type", "application/json"),
            ], body: body)
    }

    private func message(_ content: PushContent, _ job: PushJob, _ now: PushMoment) -> JSONObject {
        var message: JSONObject = [job.target.kind == "fid" ? "fid" : "token": .string(job.target.token)]
        message["data"] = .object(Self.data(content, job))
        if job.target.platform == "ios" {
            let isQuiet = content.kind == .clear
            let aps = APNs.aps(content, isQuiet ? "background" : "alert")
            var headers: JSONObject = [
                "apns-priority": isQuiet || content.kind == .badge ? "5" : "10",
                "apns-push-type": isQuiet ? "background" : "alert",
                "apns-expiration": .string(String(job.expiresAt / 1000)),
            ]
            headers["apns-collapse-id"] = content.collapse.flatMap { $0.utf8.count <= 64 ? .string($0) : nil }
            message["apns"] = ["headers": .object(headers), "payload": ["aps": .object(aps)]]
        } else {
            message["android"] = .object(self.android(content, job, now))
        }
        return message
    }

    private func android(_ content: PushContent, _ job: PushJob, _ now: PushMoment) -> JSONObject {
        let isShown = content.kind == .message || content.kind == .callEnd
        var android: JSONObject = [
            // A high priority that shows nothing is taken away from the app.
            "priority": isShown && !content.isSilent || content.kind == .call ? "HIGH" : "NORMAL",
            "ttl": .string("\(self.lifetime(job, now: now, most: Self.longestLife))s"),
        ]
        android["restricted_package_name"] = self.packageName.map { .string($0) }
        // At most four are kept for a device, so they are classes and not conversations.
        if !isShown, content.kind != .call { android["collapse_key"] = .string(content.kind.rawValue) }
        guard isShown else { return android }
        var shown = JSONObject()
        shown["title"] = content.shownTitle.map { .string($0) }
        if let body = content.shownBody {
            shown["body"] = .string(body)
        } else if let key = content.locKey {
            shown["body_loc_key"] = .string(key)
            let arguments = content.shownArguments
            if !arguments.isEmpty { shown["body_loc_args"] = .array(arguments.map { .string($0) }) }
        } else {
            shown["body"] = .string(content.fixedText)
        }
        shown["tag"] = content.collapse.map { .string($0) }
        shown["click_action"] = content.category.map { .string($0) }
        shown["notification_count"] = content.badge.map { .int($0) }
        android["notification"] = .object(shown)
        return android
    }

    /// Texts only, by Google's rule; `push_id` is the same for every attempt.
    private static func data(_ content: PushContent, _ job: PushJob) -> JSONObject {
        var data = JSONObject()
        for member in content.identifiers.members {
            data[member.key] = member.value.number.map { .string($0.text) } ?? member.value
        }
        data["push_id"] = .string(job.id)
        data["badge"] = content.badge.map { .string(String($0)) }
        if content.kind == .call {
            data["title"] = content.shownTitle.map { .string($0) }
            data["body"] = content.shownBody.map { .string($0) }
        }
        return data
    }

    /// What each error means
    /// ([ErrorCode](https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode)).
    public func judge(status: Int, body: [UInt8]) -> PushJudgement {
        if status == 200 { return PushJudgement(.delivered, "200") }
        let error = (try? JSONValue.parse(body))?["error"]
        let details = error?["details"]?.array ?? []
        let own = details.lazy.filter { $0["@type"]?.string?.hasSuffix("FcmError") == true }
            .compactMap { $0["errorCode"]?.string }.first
        let reason = own ?? error?["status"]?.string ?? "\(status)"
        let verdict: PushJudgement.Verdict
        switch reason {
        case "UNREGISTERED": verdict = .deadToken(since: nil)
        case "INVALID_ARGUMENT":
            // Of a field it is our mistake; by itself it means the token.
            let isField = details.contains { $0["fieldViolations"] != nil }
            verdict = own != nil && !isField ? .deadToken(since: nil) : .badJob
        // The token of another project, or one that Google hands on to Apple or a browser with a key they do not take.
        case "SENDER_ID_MISMATCH", "THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR": verdict = .mismatched
        case "PERMISSION_DENIED": verdict = .refusedCredential
        case "UNAUTHENTICATED": verdict = .expiredCredential
        case "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED": verdict = .throttled(floor: .seconds(60))
        case "UNAVAILABLE", "INTERNAL": verdict = .unavailable(floor: Self.shortestOutage)
        default:
            switch status {
            case 401: verdict = .expiredCredential
            case 403: verdict = .refusedCredential
            case 413: verdict = .tooLarge
            case 429: verdict = .throttled(floor: .seconds(60))
            case 400..<500: verdict = .badJob
            default: verdict = .unavailable(floor: Self.shortestOutage)
            }
        }
        return PushJudgement(verdict, reason)
    }
}
