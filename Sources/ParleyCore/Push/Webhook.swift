/// A host's own gateway, for e-mail, a bot or another provider: signed requests in the manner of Standard Webhooks.
///
/// The id is the same for every attempt and the time is the attempt's, both under the signature: a receiver that refuses
/// old times and remembers ids cannot be made to act twice.
public struct Webhook: PushProvider {
    public static let needsCredential = false
    public static let refreshAhead = Duration.zero
    public static let shortestRenewal = Duration.zero
    public static let shortestOutage = Duration.seconds(10)

    let url: String

    public init(url: String) { self.url = url }

    /// What is signed.
    public static func signedText(id: String, timestamp: Int64, body: [UInt8]) -> [UInt8] {
        Array("\(id).\(timestamp).".utf8) + body
    }

    public func request(
        for job: PushJob, credential: String, reduced: Bool, now: PushMoment
    ) throws(PushRefusal) -> PushRequest {
        let content = reduced ? job.content.reduced : job.content
        var data = content.identifiers
        data["title"] = content.shownTitle.map { .string($0) }
        data["body"] = content.shownBody.map { .string($0) }
        data["loc_key"] = content.locKey.map { .string($0) }
        if !content.shownArguments.isEmpty { data["loc_args"] = .array(content.shownArguments.map { .string($0) }) }
        data["badge"] = content.badge.map { .int($0) }
        data["category"] = content.category.map { .string($0) }
        data["collapse_id"] = content.collapse.map { .string($0) }
        data["silent"] = .bool(content.isSilent)
        data["url"] = content.url.map { .string($0) }
        let body: JSONObject = [
            "id": .string(job.id), "type": "notification", "device": .string(job.target.token),
            "attempt": .int(job.attempts + 1), "expires_at": .int(job.expiresAt), "data": .object(data),
        ]
        return PushRequest(
            url: self.url,
            headers: [
                HeaderField("content-type", "application/json"), HeaderField("webhook-id", job.id),
                HeaderField("webhook-timestamp", String(now.unixSeconds)),
            ], body: body.serialized(), sealing: .webhook(id: job.id, timestamp: now.unixSeconds))
    }

    public func judge(status: Int, body: [UInt8]) -> PushJudgement {
        let verdict: PushJudgement.Verdict =
            switch status {
            case 200..<300: .delivered
            case 410: .deadToken(since: nil)
            case 401, 403: .refusedCredential
            case 413: .tooLarge
            case 408, 425: .unavailable(floor: Self.shortestOutage)
            case 429: .throttled(floor: .seconds(10))
            case 300..<500: .badJob
            default: .unavailable(floor: Self.shortestOutage)
            }
        return PushJudgement(verdict, "\(status)")
    }
}
