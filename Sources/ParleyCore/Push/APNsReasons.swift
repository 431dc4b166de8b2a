extension APNs {
    /// What each reason of Apple's means ([Handling notification
    /// responses](https://developer.apple.com/documentation/usernotifications)), but for those with a time.
    static let verdicts: [String: PushJudgement.Verdict] = [
        "BadCollapseId": .badJob, "BadExpirationDate": .badJob, "BadMessageId": .badJob, "BadPriority": .badJob,
        "DuplicateHeaders": .badJob, "InvalidPushType": .badJob, "PayloadEmpty": .badJob, "BadPath": .badJob,
        "MethodNotAllowed": .badJob,
        // Made for the other environment, or for none.
        "BadDeviceToken": .deadToken(since: nil), "MissingDeviceToken": .deadToken(since: nil),
        "BadTopic": .mismatched, "MissingTopic": .mismatched, "TopicDisallowed": .mismatched,
        "DeviceTokenNotForTopic": .mismatched,
        "PayloadTooLarge": .tooLarge,
        "ExpiredProviderToken": .expiredCredential,
        "InvalidProviderToken": .refusedCredential, "MissingProviderToken": .refusedCredential,
        "Forbidden": .refusedCredential, "BadCertificate": .refusedCredential,
        "BadCertificateEnvironment": .refusedCredential, "UnrelatedKeyIdInToken": .refusedCredential,
        "BadEnvironmentKeyIdInToken": .refusedCredential, "BadEnvironmentKeyInToken": .refusedCredential,
        "TooManyProviderTokenUpdates": .renewedTooOften,
        "TooManyRequests": .throttled(floor: .seconds(10)),
        "IdleTimeout": .closing, "Shutdown": .closing,
        "InternalServerError": .unavailable(floor: APNs.shortestOutage),
        "ServiceUnavailable": .unavailable(floor: APNs.shortestOutage),
    ]

    public func judge(status: Int, body: [UInt8]) -> PushJudgement {
        if status == 200 { return PushJudgement(.delivered, "200") }
        let answer = try? JSONValue.parse(body)
        let reason = answer?["reason"]?.string ?? "\(status)"
        // With the time since when the device is gone.
        if reason == "Unregistered" || reason == "ExpiredToken" {
            return PushJudgement(.deadToken(since: answer?["timestamp"]?.int64), reason)
        }
        if let verdict = Self.verdicts[reason] { return PushJudgement(verdict, reason) }
        let verdict: PushJudgement.Verdict =
            switch status {
            case 403: .refusedCredential
            case 410: .deadToken(since: answer?["timestamp"]?.int64)
            case 413: .tooLarge
            case 429: .throttled(floor: .seconds(10))
            case 400..<500: .badJob
            default: .unavailable(floor: Self.shortestOutage)
            }
        return PushJudgement(verdict, reason)
    }
}
