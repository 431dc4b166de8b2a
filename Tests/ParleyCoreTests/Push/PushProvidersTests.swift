import Testing

@testable import ParleyCore

@Suite struct APNsTests {
    private let apns = APNs(url: "https://apns", topic: "com.example.chat")
    private func request(_ content: PushContent, kind: String = "alert") throws -> PushRequest {
        try self.apns.request(
            for: PushFixture.job(1, .apns, content, kind: kind), credential: "jwt", reduced: false,
            now: PushFixture.moment(0))
    }
    private func headers(_ request: PushRequest) -> [String: String] {
        Dictionary(request.headers.map { ($0.name, $0.value) }) { _, last in last }
    }

    @Test func aMessageSaysWhatItsPrivacyAllows() throws {
        let request = try self.request(PushFixture.content())
        let headers = self.headers(request)
        #expect(request.url == "https://apns/3/device/" + PushFixture.token)
        #expect(headers["apns-push-type"] == "alert" && headers["apns-priority"] == "10")
        #expect(headers["apns-topic"] == "com.example.chat" && headers["authorization"] == "bearer jwt")
        #expect(headers["apns-id"] == PushFixture.job(1).id && headers["apns-expiration"] == "1800003600")
        #expect(headers["apns-collapse-id"] == PushFixture.conversation)
        let payload = try JSONValue.parse(request.body)
        let aps = try #require(payload["aps"])
        #expect(aps["alert"] == ["title": "Trip", "body": "Where are you?"])
        #expect(aps["badge"] == 3 && aps["thread-id"]?.string == PushFixture.conversation)
        #expect(aps["mutable-content"] == 1 && aps["sound"] == "default")
        #expect(payload["parley"]?["seq"] == 7 && payload["parley"]?["kind"] == "message")

        let sender = try JSONValue.parse(try self.request(PushFixture.content(.message, .sender)).body)
        #expect(sender["aps"]?["alert"] == ["title": "Alice", "body": "New message"])
        var localised = PushFixture.content(.message, .id)
        localised.locKey = "NEW"
        localised.locArgs = ["Alice"]
        localised.isSilent = true
        let id = try JSONValue.parse(try self.request(localised).body)
        #expect(id["aps"]?["alert"] == ["loc-key": "NEW"])
        #expect(id["aps"]?["sound"] == nil && id["aps"]?["interruption-level"] == "passive")
    }

    @Test func everyKindHasItsHeaders() throws {
        let badge = try self.request(PushFixture.content(.badge))
        #expect(try JSONValue.parse(badge.body) == ["aps": ["badge": 3]])
        #expect(self.headers(badge)["apns-push-type"] == "alert" && self.headers(badge)["apns-priority"] == "5")
        let clear = try self.request(PushFixture.content(.clear))
        #expect(try JSONValue.parse(clear.body)["aps"] == ["content-available": 1])
        #expect(self.headers(clear)["apns-push-type"] == "background" && self.headers(clear)["apns-priority"] == "5")
        let call = try self.request(PushFixture.content(.call), kind: "voip")
        #expect(self.headers(call)["apns-topic"] == "com.example.chat.voip")
        #expect(self.headers(call)["apns-push-type"] == "voip" && self.headers(call)["apns-priority"] == "10")
        // It has to wake an app that rings by CallKit.
        let end = try JSONValue.parse(try self.request(PushFixture.content(.callEnd)).body)
        #expect(end["aps"]?["content-available"] == 1 && end["aps"]?["alert"] != nil)
        #expect(throws: PushRefusal.self) { try self.request(PushFixture.content(), kind: "voip") }
        #expect(throws: PushRefusal.self) { try self.request(PushFixture.content(.callEnd), kind: "voip") }
    }

    @Test(arguments: ["", "xyz", "0a0", "../../x", "0a 0a"]) func aTokenIsHexadecimal(token: String) {
        var job = PushFixture.job(1)
        job.target.token = token
        do throws(PushRefusal) {
            _ = try self.apns.request(for: job, credential: "", reduced: false, now: PushFixture.moment(0))
            Issue.record("taken")
        } catch { #expect(error.isToken) }
    }

    @Test func textIsCutToTheLimitAndNeverInsideACharacter() throws {
        for text in ["a", "é", "👩‍👩‍👧", "\"", "\u{1}"] {
            var content = PushFixture.content()
            content.body = String(repeating: text, count: 6000)
            for kind in ["alert", "voip"] {
                content.kind = kind == "voip" ? .call : .message
                let limit = kind == "voip" ? 5120 : 4096
                let body = try self.request(content, kind: kind).body
                #expect(body.count <= limit && body.count > limit - 64)
                let payload = try JSONValue.parse(body)
                let shown = payload["aps"]?["alert"]?["body"]?.string ?? payload["parley"]?["body"]?.string ?? ""
                #expect(shown.hasSuffix("…") && shown.dropLast().allSatisfy { $0 == Character(text) })
            }
        }
        var content = PushFixture.content()
        content.title = String(repeating: "t", count: 6000)
        content.body = String(repeating: "b", count: 6000)
        let title = try self.request(content).body
        #expect(title.count <= 4096)
        content.title = nil
        content.body = nil
        content.locKey = "K"
        content.locArgs = [String(repeating: "x", count: 6000)]
        #expect(try self.request(content).body.count <= 4096)
        content.conversationID = String(repeating: "c", count: 6000)
        #expect(throws: PushRefusal.self) { try self.request(content) }
    }

    /// Every reason of the documentation.
    @Test func everyReasonHasItsMeaning() {
        func verdict(_ status: Int, _ reason: String) -> PushJudgement.Verdict {
            self.apns.judge(status: status, body: Array(#"{"reason":"\#(reason)","timestamp":5}"#.utf8)).verdict
        }
        for reason in [
            "BadCollapseId", "BadExpirationDate", "BadMessageId", "BadPriority", "DuplicateHeaders", "InvalidPushType",
            "PayloadEmpty", "New reason",
        ] { #expect(verdict(400, reason) == .badJob) }
        for reason in ["BadTopic", "MissingTopic", "TopicDisallowed", "DeviceTokenNotForTopic"] {
            #expect(verdict(400, reason) == .mismatched)
        }
        for reason in ["BadDeviceToken", "MissingDeviceToken"] {
            #expect(verdict(400, reason) == .deadToken(since: nil))
        }
        #expect(verdict(400, "IdleTimeout") == .closing && verdict(503, "Shutdown") == .closing)
        for reason in [
            "BadCertificate", "BadCertificateEnvironment", "Forbidden", "InvalidProviderToken", "MissingProviderToken",
            "UnrelatedKeyIdInToken", "BadEnvironmentKeyIdInToken", "New reason",
        ] { #expect(verdict(403, reason) == .refusedCredential) }
        #expect(verdict(403, "ExpiredProviderToken") == .expiredCredential)
        #expect(verdict(404, "BadPath") == .badJob && verdict(405, "MethodNotAllowed") == .badJob)
        for reason in ["ExpiredToken", "Unregistered", "New reason"] {
            #expect(verdict(410, reason) == .deadToken(since: 5))
        }
        #expect(verdict(413, "PayloadTooLarge") == .tooLarge)
        #expect(verdict(429, "TooManyProviderTokenUpdates") == .renewedTooOften)
        #expect(verdict(429, "TooManyRequests") == .throttled(floor: .seconds(10)))
        for reason in ["InternalServerError", "New reason"] {
            #expect(verdict(500, reason) == .unavailable(floor: .seconds(30)))
        }
        #expect(verdict(503, "ServiceUnavailable") == .unavailable(floor: .seconds(30)))
        #expect(self.apns.judge(status: 502, body: Array("<html>".utf8)).verdict == .unavailable(floor: .seconds(30)))
        #expect(self.apns.judge(status: 200, body: []).verdict == .delivered)
    }
}

@Suite struct FCMTests {
    private let fcm = FCM(projectID: "example")
    private func message(_ content: PushContent, _ adjust: (inout PushJob) -> Void = { _ in }) throws -> JSONValue {
        var job = PushFixture.job(1, .fcm, content)
        adjust(&job)
        let request = try self.fcm.request(for: job, credential: "t", reduced: false, now: PushFixture.moment(0))
        return try #require(try JSONValue.parse(request.body)["message"])
    }

    @Test func aMessageIsShownAndItsDataAreTexts() throws {
        let message = try self.message(PushFixture.content())
        #expect(message["token"]?.string == PushFixture.token && message["fid"] == nil)
        #expect(message["android"]?["priority"] == "HIGH" && message["android"]?["ttl"] == "3600s")
        #expect(message["android"]?["notification"]?["body"] == "Where are you?")
        #expect(message["android"]?["notification"]?["tag"]?.string == PushFixture.conversation)
        #expect(message["data"]?["seq"] == "7" && message["data"]?["badge"] == "3")
        #expect(message["data"]?.object?.members.allSatisfy { $0.value.string != nil } == true)
        #expect(try self.message(PushFixture.content()) { $0.target.kind = "fid" }["fid"]?.string == PushFixture.token)
        let clear = try self.message(PushFixture.content(.clear))
        #expect(clear["android"]?["priority"] == "NORMAL" && clear["android"]?["notification"] == nil)
        #expect(clear["android"]?["collapse_key"] == "clear")
        let call = try self.message(PushFixture.content(.call))
        #expect(call["android"]?["priority"] == "HIGH" && call["android"]?["notification"] == nil)
        let apple = try self.message(PushFixture.content()) { $0.target.platform = "ios" }
        #expect(apple["apns"]?["payload"]?["aps"]?["badge"] == 3 && apple["android"] == nil)
        var long = PushFixture.content()
        long.body = String(repeating: "ü", count: 5000)
        #expect(try self.message(long).serialized().count <= 4000)
    }

    @Test func everyErrorHasItsMeaning() {
        func verdict(_ status: Int, _ name: String, own: String? = nil, field: Bool = false) -> PushJudgement.Verdict {
            var details: [JSONValue] = []
            if let own {
                details.append([
                    "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": .string(own),
                ])
            }
            if field { details.append(["@type": "x/google.rpc.BadRequest", "fieldViolations": [["field": "x"]]]) }
            let body: JSONValue = [
                "error": ["code": .int(status), "status": .string(name), "details": .array(details)]
            ]
            return self.fcm.judge(status: status, body: body.serialized()).verdict
        }
        #expect(verdict(404, "NOT_FOUND", own: "UNREGISTERED") == .deadToken(since: nil))
        #expect(verdict(404, "NOT_FOUND") == .badJob)
        #expect(verdict(400, "INVALID_ARGUMENT", own: "INVALID_ARGUMENT") == .deadToken(since: nil))
        #expect(verdict(400, "INVALID_ARGUMENT", own: "INVALID_ARGUMENT", field: true) == .badJob)
        #expect(verdict(400, "INVALID_ARGUMENT", field: true) == .badJob)
        #expect(verdict(403, "PERMISSION_DENIED", own: "SENDER_ID_MISMATCH") == .mismatched)
        #expect(verdict(403, "PERMISSION_DENIED") == .refusedCredential)
        #expect(verdict(401, "UNAUTHENTICATED", own: "THIRD_PARTY_AUTH_ERROR") == .mismatched)
        #expect(verdict(401, "UNAUTHENTICATED") == .expiredCredential)
        #expect(verdict(429, "RESOURCE_EXHAUSTED", own: "QUOTA_EXCEEDED") == .throttled(floor: .seconds(60)))
        #expect(verdict(429, "RESOURCE_EXHAUSTED") == .throttled(floor: .seconds(60)))
        #expect(verdict(503, "UNAVAILABLE", own: "UNAVAILABLE") == .unavailable(floor: .seconds(10)))
        #expect(verdict(500, "INTERNAL", own: "INTERNAL") == .unavailable(floor: .seconds(10)))
        #expect(self.fcm.judge(status: 502, body: []).verdict == .unavailable(floor: .seconds(10)))
        #expect(self.fcm.judge(status: 200, body: []).verdict == .delivered)
    }
}

@Suite struct WebPushTests {
    private let service = WebPush(navigate: "https://chat.example/")
    private func request(_ content: PushContent) throws -> PushRequest {
        var job = PushFixture.job(1, .webpush, content)
        job.target.token = "https://push.example/1"
        job.target.locale = "pt-BR"
        return try self.service.request(for: job, credential: "vapid x", reduced: false, now: PushFixture.moment(0))
    }

    @Test func theShapeIsDeclarative() throws {
        let request = try self.request(PushFixture.content())
        let payload = try JSONValue.parse(request.body)
        #expect(payload["web_push"] == 8030 && payload["app_badge"] == 3 && payload["mutable"] == true)
        #expect(payload["notification"]?["title"] == "Trip")
        #expect(payload["notification"]?["navigate"] == "https://chat.example/")
        #expect(payload["notification"]?["data"]?["locale"] == "pt-BR")
        let headers = Dictionary(request.headers.map { ($0.name, $0.value) }) { _, last in last }
        #expect(headers["ttl"] == "3600" && headers["urgency"] == "normal")
        #expect(headers["topic"] == PushFixture.conversation.replacing("-", with: ""))
        guard case .webPush(_, _, let padding) = request.sealing else {
            Issue.record("plain")
            return
        }
        #expect(padding == 512)
        let id = try JSONValue.parse(try self.request(PushFixture.content(.message, .id)).body)
        #expect(id["notification"]?["title"] == "New message" && id["notification"]?["body"] == nil)
        for kind in [PushContent.Kind.badge, .clear] {
            #expect(throws: PushRefusal.self) { try self.request(PushFixture.content(kind)) }
        }
        var long = PushFixture.content()
        long.body = String(repeating: "x", count: 9000)
        #expect((3900...3993).contains(try self.request(long).body.count))
    }

    @Test func everyStatusHasItsMeaning() {
        func verdict(_ status: Int, _ body: String = "") -> PushJudgement.Verdict {
            self.service.judge(status: status, body: Array(body.utf8)).verdict
        }
        for status in [200, 201, 202] { #expect(verdict(status) == .delivered) }
        for status in [404, 410] { #expect(verdict(status) == .deadToken(since: nil)) }
        #expect(verdict(400) == .badJob && verdict(301) == .badJob && verdict(413) == .tooLarge)
        #expect(verdict(400, #"{"reason":"VapidPkHashMismatch"}"#) == .mismatched)
        #expect(verdict(401) == .mismatched && verdict(403, #"{"reason":"BadJwtToken"}"#) == .mismatched)
        #expect(verdict(429) == .throttled(floor: .seconds(10)) && verdict(503) == .unavailable(floor: .seconds(10)))
    }
}

@Suite struct RetryAfterTests {
    @Test func takesBothForms() {
        let now: Int64 = 784_111_777_000
        #expect(RetryAfter.parse("120", now: now) == .seconds(120))
        #expect(RetryAfter.parse("0", now: now) == .zero)
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:51:37 GMT", now: now) == .seconds(120))
        #expect(RetryAfter.parse("Sun, 06 Nov 1994 08:00:00 GMT", now: now) == .zero)
        #expect(RetryAfter.parse("Thu, 29 Feb 2024 00:00:00 GMT", now: 1_709_164_799_000) == .seconds(1))
        #expect(RetryAfter.parse("99999999999999999999999", now: now) == .seconds(86_400))
        #expect(RetryAfter.parse("Sun, 06 Nov 9999 08:00:00 GMT", now: now) == .seconds(86_400))
    }

    @Test(arguments: [
        "", "-1", "1.5", "soon", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
    ])
    func takesNothingElse(text: String) { #expect(RetryAfter.parse(text, now: 0) == nil) }
}

@Suite struct PushJobTests {
    @Test func readsTheFormOfTheQueueAndWritesItsSettlement() throws {
        let json = try JSONValue.parse(
            """
            {"id":"a","claim":4,"lane":"call","attempts":2,"expires_at":9,"target":{"provider":"apns","app_id":"app",
            "token":"0a","kind":"voip","environment":"sandbox","locale":"de","registered_at":3},"content":{"kind":"call",
            "privacy":"sender","call_id":"c","badge":0,"loc_args":["x"],"silent":true}}
            """)
        let job = try #require(PushJob(json: json))
        #expect(job.claim == 4 && job.lane == .call && job.attempts == 2)
        #expect(job.target.isSandbox && job.target.locale == "de")
        #expect(job.content.callID == "c" && job.content.badge == 0 && job.content.isSilent)
        #expect(PushJob(json: ["id": "a"]) == nil)
        let settlement = PushSettlement(job, .retry(after: .milliseconds(1500), counts: true), "503")
        #expect(
            JSONValue.object(settlement.json) == [
                "id": "a", "claim": 4, "outcome": "retry", "after_ms": 1500, "counts": true, "reason": "503",
            ])
    }
}
