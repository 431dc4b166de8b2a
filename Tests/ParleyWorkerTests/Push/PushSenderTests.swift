import FoundationEssentials
import ParleyCore
import PushTestKit
import Support
import Testing

@testable import ParleyWorker

/// The sender against a gateway that checks what the providers check.
@Suite(.timeLimit(.minutes(2)), .serialized) struct PushSenderTests {
    private static let token = String(repeating: "0a", count: 32)

    private func job(
        _ provider: PushTarget.Provider, token: String = Self.token, kind: PushContent.Kind = .message,
        lane: PushJob.Lane = .message, life: Int64 = 3600, adjust: (inout PushJob) -> Void = { _ in }
    ) -> PushJob {
        var content = PushContent(kind, privacy: .full)
        content.conversationID = "0190aaaa-0000-7000-8000-000000000001"
        content.messageID = UUID().uuidString.lowercased()
        content.title = "Trip"
        content.body = "Where are you?"
        content.badge = 2
        var job = PushJob(
            id: UUID().uuidString.lowercased(), claim: 1, lane: lane,
            expiresAt: (Clock.unixSeconds() + life) * 1000,
            target: PushTarget(provider, appID: provider == .webhook ? "host" : "com.example.chat", token: token),
            content: content)
        adjust(&job)
        return job
    }

    private func browser(_ gateway: PushGateway) async throws -> PushJob {
        let subscription = try await gateway.subscribe()
        return self.job(.webpush, token: subscription["endpoint"]?.string ?? "") { job in
            job.target.p256dh = subscription["p256dh"]?.string ?? ""
            job.target.auth = subscription["auth"]?.string ?? ""
        }
    }

    /// Runs the sender until so many jobs are settled, then drains it.
    private func deliver(
        _ jobs: [PushJob], through gateway: PushGateway, queue given: MemoryQueue? = nil, until count: Int? = nil,
        lines: Locked<[String]> = Locked([])
    ) async throws -> [String: PushSettlement] {
        let queue = given ?? MemoryQueue(jobs)
        let settings = try PushSettings.load(gateway.settings)
        let log = Log(label: "push", sink: { line in lines.withLock { $0.append(line.text) } })
        let sender = PushSender(settings, queue: queue, log: log)
        let run = Task { try await sender.run() }
        let wanted = count ?? jobs.count
        let done = await eventually(.seconds(40)) { queue.settled.count >= wanted }
        let violations = try await gateway.state()["violations"] ?? []
        #expect(done, "\(queue.settled.count) of \(wanted) settled; \(violations)")
        await sender.drain()
        try await run.value
        return Dictionary(queue.settled.map { ($0.jobID, $0) }) { _, last in last }
    }

    private func eventually(_ time: Duration, _ condition: () -> Bool) async -> Bool {
        let end = ContinuousClock.now + time
        while ContinuousClock.now < end {
            if condition() { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return condition()
    }

    @Test func everyProviderTakesWhatItIsSent() async throws {
        let gateway = try await PushGateway()
        var jobs: [PushJob] = []
        for _ in 0..<30 {
            jobs += [self.job(.apns), self.job(.fcm), self.job(.webhook)]
            jobs.append(try await self.browser(gateway))
        }
        jobs.append(self.job(.apns, kind: .badge, lane: .quiet))
        jobs.append(self.job(.apns, kind: .clear, lane: .quiet))
        jobs.append(self.job(.apns, kind: .call, lane: .call) { $0.target.kind = "voip" })
        jobs.append(self.job(.apns) { $0.target.isSandbox = true })
        jobs.append(self.job(.fcm) { $0.target.kind = "fid" })
        jobs.append(self.job(.fcm) { $0.target.platform = "ios" })
        jobs.append(self.job(.fcm, kind: .clear, lane: .quiet))
        var long = self.job(.apns)
        long.content.body = String(repeating: "👋🏽 ", count: 3000)
        jobs.append(long)
        for provider in [PushTarget.Provider.fcm, .webhook] {
            jobs.append(self.job(provider) { $0.content.body = long.content.body })
        }
        var browser = try await self.browser(gateway)
        browser.content.body = long.content.body
        jobs.append(browser)
        let lines = Locked<[String]>([])
        let settled = try await self.deliver(jobs, through: gateway, lines: lines)
        #expect(jobs.allSatisfy { settled[$0.id]?.outcome == .delivered })
        let state = try await gateway.state()
        #expect(state["violations"] == [])
        #expect(state["refused"]?.int64 == 0)
        let log = state["log"]?.array ?? []
        #expect(Set(log.compactMap { $0["headers"]?["apns-id"]?.string }).count == 35)
        // One access token for all, and one provider token.
        #expect(log.count { $0["kind"] == "token" } == 1)
        let signed = log.filter { $0["kind"] == "apns" }.compactMap { $0["headers"]?["authorization"]?.string }
        #expect(Set(signed).count == 1)
        // Nothing that is said to a provider is said to the log.
        let told = lines.withLock { $0.joined() }
        for secret in [Self.token, "Where are you", "/wp/", "bearer", "vapid t="] { #expect(!told.contains(secret)) }
    }

    /// The outcomes that facts name, as the provider tells them and as the queue is told.
    @Test func everyOutcomeIsSettledAsItIsMeant() async throws {
        let gateway = try await PushGateway()
        func token(_ number: Int) -> String { Self.token.dropLast(2) + (number < 10 ? "0\(number)" : "\(number)") }
        let now = Clock.unixMilliseconds()
        let answers: [(Int, JSONValue, String)] = [
            (400, ["reason": "BadDeviceToken"], "dead_token"),
            (400, ["reason": "DeviceTokenNotForTopic"], "retry"),
            (400, ["reason": "BadCollapseId"], "dead"),
            (410, ["reason": "Unregistered", "timestamp": .int(now - 60_000)], "dead"),
            (410, ["reason": "Unregistered", "timestamp": .int(now + 60_000)], "dead_token"),
            (429, ["reason": "TooManyRequests"], "retry"),
            (500, ["reason": "InternalServerError"], "retry"),
            (503, ["reason": "Shutdown"], "retry"),
        ]
        var script = JSONObject()
        var jobs: [PushJob] = []
        for (number, answer) in answers.enumerated() {
            script[token(number)] = [["status": .int(answer.0), "body": answer.1]]
            jobs.append(self.job(.apns, token: token(number)) { $0.target.registeredAt = now })
        }
        // 413 for the whole, and then for nothing.
        script[token(50)] = [["status": 413, "body": ["reason": "PayloadTooLarge"]], [:]]
        jobs.append(self.job(.apns, token: token(50)))
        try await gateway.set(["script": .object(script)])
        let settled = try await self.deliver(jobs, through: gateway)
        for (number, answer) in answers.enumerated() {
            #expect(settled[jobs[number].id]?.json["outcome"]?.string == answer.2, "\(answer)")
        }
        let last = try #require(jobs.last)
        #expect(settled[last.id]?.outcome == .delivered)
        let bodies = try await gateway.received("apns").filter { $0["target"]?.string == token(50) }
        #expect(bodies.count == 2 && bodies[1]["payload"]?["aps"]?["alert"]?["body"] == "New message")
        #expect(bodies[0]["headers"]?["apns-id"] == bodies[1]["headers"]?["apns-id"])
    }

    @Test func streamsThatAreLostOnTheWayComeBackAndNothingIsSettledTwice() async throws {
        let gateway = try await PushGateway()
        func token(_ number: Int) -> String { Self.token.dropLast(2) + (number < 10 ? "0\(number)" : "\(number)") }
        let ends: [JSONValue] = [
            ["goaway": "before"], ["goaway": "after"], ["reset": 7], ["reset": 2], ["close": true],
        ]
        var script = JSONObject()
        var jobs: [PushJob] = []
        for number in 0..<40 {
            if number < ends.count { script[token(number)] = [ends[number], [:]] }
            jobs.append(self.job(.apns, token: token(number)))
        }
        try await gateway.set(["script": .object(script)])
        let settled = try await self.deliver(jobs, through: gateway)
        #expect(settled.count == 40)
        for job in jobs {
            switch settled[job.id]?.outcome {
            case .delivered, .retry(_, counts: true): break
            case let other: Issue.record("\(job.id): \(String(describing: other))")
            }
        }
        #expect(try await gateway.state()["violations"] == [])
    }

    @Test func refusedCredentialsAreToldAndJobsWait() async throws {
        let gateway = try await PushGateway()
        try await gateway.set(["script": ["token": [["status": 401, "body": ["error": "invalid_grant"]]]]])
        let lines = Locked<[String]>([])
        let jobs = (0..<5).map { _ in self.job(.fcm) }
        let settled = try await self.deliver(jobs, through: gateway, lines: lines)
        #expect(jobs.allSatisfy { if case .retry(_, counts: false) = settled[$0.id]?.outcome { true } else { false } })
        #expect(lines.withLock { $0.contains { $0.contains("push credentials are refused") } })
        #expect(try await gateway.received("fcm").isEmpty)
    }

    @Test func endpointsOfOthersAreNotConnectedTo() async throws {
        let gateway = try await PushGateway()
        let good = try await self.browser(gateway)
        var jobs = [good]
        for endpoint in [
            "https://169.254.169.254/latest", "http://localhost:\(gateway.port)/wp/x", "https://localhost/wp/x",
            "https://user@localhost:\(gateway.port)/wp/x", "https://localhost:\(gateway.port)@evil.example/",
        ] {
            var job = good
            job.id = UUID().uuidString.lowercased()
            job.target.token = endpoint
            jobs.append(job)
        }
        let settled = try await self.deliver(jobs, through: gateway)
        #expect(settled[good.id]?.outcome == .delivered)
        for job in jobs.dropFirst() {
            if case .deadToken = settled[job.id]?.outcome { continue }
            Issue.record("\(job.target.token): \(String(describing: settled[job.id]))")
        }
        #expect(try await gateway.received("webpush").count == 1)
    }

    @Test func aQueueThatFailsIsAskedAgain() async throws {
        let gateway = try await PushGateway()
        let jobs = (0..<10).map { _ in self.job(.apns) }
        let queue = MemoryQueue(jobs)
        queue.state.withLock { $0.failures = 3 }
        let settled = try await self.deliver(jobs, through: gateway, queue: queue)
        #expect(jobs.allSatisfy { settled[$0.id]?.outcome == .delivered })
    }

    @Test func aSenderThatStopsDoesNotWaitForADatabaseThatIsAway() async throws {
        let gateway = try await PushGateway()
        try await gateway.set(["prime": false, "script": [Self.token: [["delay": 1]]]])
        let queue = MemoryQueue([self.job(.apns)])
        queue.state.withLock { $0.settlesFail = true }
        let sender = PushSender(
            try PushSettings.load(gateway.settings), queue: queue, log: Log(label: "push", sink: { _ in }))
        let run = Task { try await sender.run() }
        #expect(await self.eventually(.seconds(10)) { queue.state.withLock { $0.waiting.isEmpty } })
        let start = ContinuousClock.now
        await sender.drain()
        try await run.value
        #expect(ContinuousClock.now - start < .seconds(8))
    }

    @Test func aSenderThatIsCancelledWaitsForNothing() async throws {
        let gateway = try await PushGateway()
        try await gateway.set(["prime": false, "script": [Self.token: [["hang": true]]]])
        let queue = MemoryQueue([self.job(.apns)])
        let sender = PushSender(
            try PushSettings.load(gateway.settings), queue: queue, log: Log(label: "push", sink: { _ in }))
        let run = Task { try await sender.run() }
        #expect(await self.eventually(.seconds(10)) { queue.state.withLock { $0.waiting.isEmpty } })
        let drain = Task { await sender.drain() }
        try await Task.sleep(for: .milliseconds(200))
        let start = ContinuousClock.now
        run.cancel()
        _ = await run.result
        await drain.value
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test func callsFindRoomWhereMessagesFillTheLane() async throws {
        let gateway = try await PushGateway()
        try await gateway.set(["prime": false, "script": [Self.token: [["hang": true]]]])
        let calls = (0..<3).map { _ in self.job(.apns, token: String(repeating: "0b", count: 32), lane: .call) }
        let queue = MemoryQueue((0..<60).map { _ in self.job(.apns) })
        var bounds = PushBounds()
        bounds.mostHeld = 50
        let settings = try PushSettings.load(gateway.settings)
        let sender = PushSender(settings, queue: queue, bounds: bounds, log: Log(label: "push", sink: { _ in }))
        let run = Task { try await sender.run() }
        #expect(await self.eventually(.seconds(10)) { queue.state.withLock { $0.waiting.count } == 10 })
        queue.state.withLock { $0.waiting += calls }
        let ids = Set(calls.map(\.id))
        let done = await self.eventually(.seconds(10)) { queue.settled.filter { ids.contains($0.jobID) }.count == 3 }
        #expect(done && queue.state.withLock { $0.waiting.count } == 10)
        run.cancel()
        _ = await run.result
    }

    @Test func aLaneOffersTheRoomItHasAndSendsWhatWasClaimedForIt() async throws {
        let gateway = try await PushGateway()
        let queue = MemoryQueue([])
        var bounds = PushBounds()
        bounds.mostHeld = 50
        let settings = try PushSettings.load(gateway.settings)
        let sender = PushSender(settings, queue: queue, bounds: bounds, log: Log(label: "push", sink: { _ in }))
        let offers = await sender.offers()
        #expect(offers.count == sender.count && offers.allSatisfy { $0.claim.most == 50 })
        #expect(await sender.offers().isEmpty)
        for offer in offers {
            await offer.lane.receive(offer.claim.provider == .apns ? [self.job(.apns)] : [], of: offer.claim)
        }
        #expect(await self.eventually(.seconds(10)) { queue.settled.map(\.outcome) == [.delivered] })
        let others = await sender.offers()
        #expect(others.count == sender.count)
        let drain = Task { await sender.drain() }
        for offer in others { await offer.lane.receive([], of: offer.claim) }
        await drain.value
        #expect(await sender.offers().isEmpty)
    }
}
