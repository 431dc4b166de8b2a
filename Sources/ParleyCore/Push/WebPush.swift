/// Push services of browsers (RFC 8030), with messages that are encrypted (RFC 8291), signed for (RFC 8292) and in the
/// declarative form, which a browser can show without the app's service worker.
public struct WebPush: PushProvider {
    /// The most plaintext that fits into an encrypted body of 4096 bytes.
    public static let longestPlaintext = 3993
    /// Lengths that tell little: a message is padded to one of them.
    private static let paddings = [512, 1024, 2048, Self.longestPlaintext]
    private static let longestLife: Int64 = 2_592_000
    private static let longestTopic = 32

    public static let needsCredential = true
    public static let refreshAhead = Duration.seconds(3600)
    public static let shortestRenewal = Duration.seconds(60)
    public static let shortestOutage = Duration.seconds(10)

    /// Where a tap leads, if the notification does not say: an https URL.
    let navigate: String

    public init(navigate: String) { self.navigate = navigate }

    public func request(
        for job: PushJob, credential: String, reduced: Bool, now: PushMoment
    ) throws(PushRefusal) -> PushRequest {
        let content = reduced ? job.content.reduced : job.content
        // A browser shows every push, and some take the permission away from an app whose push shows nothing.
        guard content.kind != .badge, content.kind != .clear else {
            throw PushRefusal("a browser shows every notification")
        }
        let plaintext = PayloadFit.bytes(content, limit: Self.longestPlaintext) { self.payload($0, job).serialized() }
        guard let plaintext else { throw PushRefusal("the identifiers alone exceed \(Self.longestPlaintext) bytes") }
        let urgency = content.kind == .call ? "high" : content.isSilent ? "low" : "normal"
        var headers = [
            HeaderField("authorization", credential),
            HeaderField("ttl", String(self.lifetime(job, now: now, most: Self.longestLife))),
            HeaderField("urgency", urgency),
            HeaderField("content-encoding", "aes128gcm"),
            HeaderField("content-type", "application/octet-stream"),
        ]
        if let topic = content.collapse.flatMap(Self.topic) { headers.append(HeaderField("topic", topic)) }
        return PushRequest(
            url: job.target.token, headers: headers, body: plaintext,
            sealing: .webPush(
                p256dh: job.target.p256dh, auth: job.target.auth,
                paddedTo: Self.paddings.first { $0 >= plaintext.count } ?? plaintext.count))
    }

    /// At most 32 characters of base64url: of a UUID its digits; nil if nothing is left.
    private static func topic(_ collapse: String) -> String? {
        let allowed = collapse.utf8.filter { byte in
            byte == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
        return allowed.isEmpty ? nil : String(decoding: allowed.suffix(Self.longestTopic), as: UTF8.self)
    }

    private func payload(_ content: PushContent, _ job: PushJob) -> JSONObject {
        var shown: JSONObject = ["title": .string(content.shownTitle ?? content.fixedText)]
        if let body = content.shownBody {
            shown["body"] = .string(body)
        } else if content.shownTitle != nil {
            shown["body"] = .string(content.fixedText)
        }
        let url = content.url.flatMap { $0.hasPrefix("https://") ? $0 : nil }
        shown["navigate"] = .string(url ?? self.navigate)
        shown["tag"] = content.collapse.map { .string($0) }
        shown["silent"] = .bool(content.isSilent)
        var data = content.identifiers
        data["push_id"] = .string(job.id)
        // For service workers with texts of their own.
        data["loc_key"] = content.locKey.map { .string($0) }
        if !content.shownArguments.isEmpty { data["loc_args"] = .array(content.shownArguments.map { .string($0) }) }
        if !job.target.locale.isEmpty { data["locale"] = .string(job.target.locale) }
        data["category"] = content.category.map { .string($0) }
        shown["data"] = .object(data)
        var payload: JSONObject = ["web_push": 8030, "notification": .object(shown), "mutable": true]
        payload["app_badge"] = content.badge.map { .int($0) }
        return payload
    }

    public func judge(status: Int, body: [UInt8]) -> PushJudgement {
        // Mozilla's numbers and Apple's words; the others say nothing.
        let answer = try? JSONValue.parse(body)
        let word = answer?["reason"]?.string ?? answer?["errno"]?.int64.map { "\(status) (\($0))" }
        let verdict: PushJudgement.Verdict =
            switch status {
            case 200..<300: .delivered
            case 404, 410: .deadToken(since: nil)
            // A subscription that was made with another key is refused with these words, too.
            case 401, 403: .mismatched
            case 413: .tooLarge
            case 429: .throttled(floor: .seconds(10))
            case 400 where word == "VapidPkHashMismatch": .mismatched
            case 300..<500: .badJob
            default: .unavailable(floor: Self.shortestOutage)
            }
        return PushJudgement(verdict, word ?? "\(status)")
    }
}
