import Testing

@testable import ParleyCore

@Suite struct DeliveryMachineTests {
    private static let apns = APNs(url: "https://apns", topic: "com.example.chat")
    private func rig(_ policy: PushPolicy = PushPolicy()) -> Rig<APNs> { Rig(Self.apns, policy: policy) }
    private func jobs(_ count: Int, from first: Int = 1) -> [PushJob] {
        (first..<(first + count)).map { PushFixture.job($0) }
    }

    @Test func aNewConnectionTakesOneRequestUntilItIsAnswered() {
        var rig = self.rig(PushPolicy(mostInFlight: 10))
        let jobs = self.jobs(30)
        rig.claim(jobs)
        #expect(rig.renewals == 1 && rig.sent.count == 1)
        rig.answer(jobs[0], PushFixture.answer(200))
        #expect(rig.sent.count == 10 && rig.settled == [PushSettlement(jobs[0], .delivered, "200")])
        // Lost with all that is on it: the next one is new, and takes one.
        for job in jobs[1...10] { rig.answer(job, .lost("GOAWAY")) }
        #expect(rig.sent.count == 1 && rig.settled.count == 11)
        rig.answer(jobs[11], PushFixture.answer(200))
        #expect(rig.sent.count == 10)
    }

    @Test func aConnectionThatWasIdleForAMinuteIsTakenForNew() {
        var rig = self.rig()
        rig.open()
        rig.claim(self.jobs(3), at: 59)
        #expect(rig.sent.count == 3)
        var idle = self.rig()
        idle.open()
        idle.claim(self.jobs(3), at: 61)
        #expect(idle.sent.count == 1)
    }

    @Test func callsGoFirst() {
        var rig = self.rig(PushPolicy(mostInFlight: 1))
        rig.open()
        let messages = self.jobs(3)
        let call = PushFixture.job(50, .apns, PushFixture.content(.call), lane: .call)
        rig.claim(messages)
        rig.claim([call])
        rig.answer(messages[0], PushFixture.answer(200))
        #expect(rig.order == [messages[0].id, call.id])
        // Nor do they wait for the first answer of a connection.
        var cold = self.rig()
        cold.claim(messages)
        cold.claim([call])
        #expect(cold.order == [messages[0].id, call.id])
    }

    @Test func theProviderTokenIsRenewedWhenItIsUsedAndOld() {
        var rig = self.rig()
        rig.open()
        let jobs = self.jobs(4)
        rig.open(at: 44 * 60)
        #expect(rig.renewals == 1)
        // Old: renewed, and meanwhile still good.
        rig.feed(.claimed([jobs[1]]), at: 46 * 60, renew: false)
        #expect(rig.renewals == 2 && rig.sent[jobs[1].id]?.headers.first?.value == "bearer token1")
        rig.feed(.renewed("token2", life: .seconds(3600)), at: 46 * 60)
        rig.answer(jobs[1], PushFixture.answer(200), at: 46 * 60)
        rig.claim([jobs[2]], at: 46 * 60)
        #expect(rig.sent[jobs[2].id]?.headers.first?.value == "bearer token2")
        // Hours later nobody has asked for one, so none was made.
        #expect(rig.renewals == 2)
    }

    @Test func anExpiredTokenIsRenewedOnceAndTheJobGoesAtOnce() {
        var rig = self.rig()
        rig.open()
        rig.open(at: 30 * 60)
        let jobs = [PushFixture.job(1, life: 7200), PushFixture.job(2, life: 7200)]
        rig.claim(jobs, at: 30 * 60)
        for job in jobs { rig.answer(job, PushFixture.answer(403, "ExpiredProviderToken"), at: 30 * 60) }
        #expect(rig.renewals == 2 && rig.settled.isEmpty && rig.sent.count == 2)
        #expect(rig.sent[jobs[0].id]?.headers.first?.value == "bearer token2")
        // Not again, and a token that was just made is no older than it says: the clock is wrong.
        rig.answer(jobs[0], PushFixture.answer(403, "ExpiredProviderToken"), at: 30 * 60)
        #expect(rig.renewals == 2 && rig.reports == [.credentialRefused(reason: "ExpiredProviderToken")])
        guard case .retry(let after, false) = rig.last else {
            Issue.record("\(rig.settled)")
            return
        }
        #expect(after >= .seconds(300))
    }

    @Test func renewedTooOftenKeepsTheOldTokenOnANewConnection() {
        var rig = self.rig()
        rig.open()
        let jobs = self.jobs(3)
        rig.claim([jobs[0]])
        rig.answer(jobs[0], PushFixture.answer(429, "TooManyProviderTokenUpdates"))
        rig.claim([jobs[1], jobs[2]], at: 50 * 60)
        #expect(rig.renewals == 2 && rig.order.count == 2)
        #expect(rig.sent[jobs[1].id]?.freshConnection == true)
        var early = self.rig()
        early.open()
        early.claim([jobs[0]], at: 44 * 60)
        early.answer(jobs[0], PushFixture.answer(429, "TooManyProviderTokenUpdates"), at: 44 * 60)
        // It would be renewed now, and must not be.
        early.claim([jobs[1]], at: 46 * 60)
        #expect(early.renewals == 1 && early.sent[jobs[1].id]?.headers.first?.value == "bearer token1")
    }

    @Test func refusedCredentialsStopTheRouteAndCostNoAttempt() {
        var rig = self.rig()
        rig.open()
        let jobs = self.jobs(5)
        rig.claim(jobs)
        for job in jobs[..<3] { rig.answer(job, PushFixture.answer(403, "InvalidProviderToken")) }
        #expect(rig.reports.count == 1)
        #expect(rig.settled.allSatisfy { if case .retry(_, counts: false) = $0.outcome { true } else { false } })
        rig.answer(jobs[3], .timeout)
        rig.answer(jobs[4], .timeout)
        rig.settled = []
        rig.claim(self.jobs(2, from: 10), at: 60)
        #expect(rig.sent.isEmpty && rig.settled.count == 2)
        #expect(rig.machine.pausedUntil(now: .seconds(60)) == .seconds(300))
        rig.claim(self.jobs(1, from: 20), at: 301)
        #expect(rig.sent.count == 1)
    }

    @Test func aTokenRegisteredAfterItsEndIsKept() {
        var rig = self.rig()
        rig.open()
        let before = PushFixture.start - 1000
        let older = PushFixture.job(1, registeredAt: before - 1)
        let newer = PushFixture.job(2, registeredAt: before + 1)
        rig.claim([older, newer])
        rig.answer(older, PushFixture.answer(410, "Unregistered", timestamp: before))
        #expect(rig.last == .deadToken(before: before))
        rig.answer(newer, PushFixture.answer(410, "Unregistered", timestamp: before))
        #expect(rig.last == .dead)
    }

    @Test func anEndWithoutATimeIsThatOfTheTokenItWasSentTo() {
        var rig = self.rig()
        rig.open()
        let job = PushFixture.job(1, registeredAt: PushFixture.start - 1000)
        rig.claim([job])
        rig.answer(job, PushFixture.answer(400, "BadDeviceToken"))
        #expect(rig.last == .deadToken(before: job.target.registeredAt))
        var other = job
        other.target.token = "no token"
        rig.claim([other])
        #expect(rig.last == .deadToken(before: job.target.registeredAt))
    }

    @Test func aPayloadThatIsTooLargeIsSentOnceMoreWithIdsAlone() throws {
        var rig = self.rig()
        rig.open()
        let job = PushFixture.job(1)
        rig.claim([job])
        rig.answer(job, PushFixture.answer(413, "PayloadTooLarge"))
        let body = String(decoding: try #require(rig.sent[job.id]?.body), as: UTF8.self)
        #expect(!body.contains("Where are you?") && body.contains(PushFixture.conversation))
        rig.answer(job, PushFixture.answer(413, "PayloadTooLarge"))
        #expect(rig.last == .dead && rig.sent.isEmpty)
    }

    @Test func pausesDoubleWithJitterAndObeyRetryAfter() {
        for attempts in 0..<6 {
            var pauses: [Duration] = []
            var rig = self.rig()
            rig.open()
            let jobs = (0..<4).map { PushFixture.job($0, attempts: attempts, life: 86_400) }
            rig.claim(jobs)
            for job in jobs {
                rig.answer(job, .lost("reset"))
                if case .retry(let after, true) = rig.last { pauses.append(after) }
            }
            let least = Duration.seconds(1 << attempts)
            #expect(pauses.count == 4 && Set(pauses).count > 1)
            #expect(pauses.allSatisfy { (least...(least * 3)).contains($0) })
        }
        var rig = self.rig()
        rig.open()
        let jobs = self.jobs(2)
        rig.claim(jobs)
        rig.answer(jobs[0], PushFixture.answer(429, "TooManyRequests", after: "120"))
        guard case .retry(let after, true) = rig.last else {
            Issue.record("\(rig.settled)")
            return
        }
        #expect((.seconds(120) ... .seconds(180)).contains(after))
        // A provider's trouble, longer than the job is wanted.
        let short = PushFixture.job(9, life: 20)
        rig.claim([short])
        rig.answer(short, PushFixture.answer(503, "ServiceUnavailable"))
        #expect(rig.last == .dead && rig.settled.last?.reason == "ServiceUnavailable, then expired")
    }

    @Test func aJobIsDeadAfterItsAttemptsOrItsTime() {
        var rig = self.rig()
        rig.open()
        let tired = PushFixture.job(1, attempts: 7, life: 86_400)
        rig.claim([tired, PushFixture.job(2, life: -1)])
        #expect(rig.last == .dead && rig.settled.last?.reason == "expired")
        rig.answer(tired, .lost("reset"))
        #expect(rig.last == .dead && rig.settled.last?.reason == "reset, 8 times")
    }

    @Test func whatCannotBeSentSoonIsGivenBack() {
        var rig = self.rig()
        rig.feed(.claimed(self.jobs(3)), at: 0, renew: false)
        #expect(rig.sent.isEmpty && rig.wakesAt == .seconds(20))
        rig.feed(.woke, at: 20, renew: false)
        #expect(rig.settled.count == 3 && rig.machine.count == 0)
        #expect(rig.settled.allSatisfy { $0.outcome == .retry(after: .zero, counts: false) })
    }

    @Test func drainingGivesBackWhatWaitsAndFinishesTheRest() {
        var rig = self.rig(PushPolicy(mostInFlight: 2))
        rig.open()
        let jobs = self.jobs(5)
        rig.claim(jobs)
        rig.feed(.drain, at: 1)
        #expect(rig.settled.count == 3 && rig.machine.count == 2)
        rig.answer(jobs[0], PushFixture.answer(200), at: 2)
        #expect(rig.machine.count == 1 && rig.last == .delivered)
    }

    private static let notForTopic = PushFixture.answer(400, "DeviceTokenNotForTopic")

    @Test func devicesOfManyUsersWithoutOneThatWorksStopTheRoute() {
        var rig = self.rig()
        for user in 1...10 {
            #expect(rig.machine.pausedUntil(now: .zero) == nil)
            let job = PushFixture.job(user, user: "user \(user)")
            rig.claim([job])
            rig.answer(job, Self.notForTopic)
        }
        #expect(rig.reports == [.credentialRefused(reason: "DeviceTokenNotForTopic")])
        #expect(rig.machine.pausedUntil(now: .zero) == .seconds(300))
        // Nothing is lost meanwhile, but nor does a job come back for ever.
        #expect(rig.settled.allSatisfy { if case .retry(_, counts: true) = $0.outcome { true } else { false } })
        guard case .retry(let after, _) = rig.last else { return }
        #expect(after >= .seconds(300))
    }

    @Test func aUserWithManyForeignDevicesStopsNobody() {
        var rig = self.rig()
        for number in 1...50 {
            let job = PushFixture.job(number)
            rig.claim([job])
            rig.answer(job, Self.notForTopic)
        }
        #expect(rig.machine.pausedUntil(now: .zero) == nil)
    }

    @Test func foreignDevicesAmongThoseThatWorkStopNobody() {
        var rig = Rig(WebPush(navigate: "https://chat.example/"))
        rig.life = .seconds(43200)
        let good = PushFixture.job(1000, .webpush)
        rig.claim([good])
        rig.answer(good, PushFixture.answer(201))
        for number in 1...50 {
            let job = PushFixture.job(number, .webpush, user: "user \(number)")
            rig.claim([job])
            rig.answer(job, PushFixture.answer(number % 2 == 0 ? 403 : 401))
            #expect(rig.last == .dead)
        }
        #expect(rig.machine.pausedUntil(now: .zero) == nil)
        // With the next provider token nobody knows.
        rig.feed(.renewed("next", life: rig.life), at: 1)
        let job = PushFixture.job(60, .webpush)
        rig.claim([job], at: 1)
        rig.answer(job, PushFixture.answer(403), at: 1)
        #expect(rig.last != .dead && rig.machine.pausedUntil(now: .seconds(1)) == nil)
    }
}

@Suite struct OutageTests {
    /// An hour of 503 with ten thousand jobs that come back as the queue hands them out again.
    @Test func recoveryIsWithoutAStormAndWithoutOldNews() {
        let policy = PushPolicy(mostInFlight: 200, perSecond: 400, mostAttempts: 8)
        var rig = Rig(APNs(url: "https://apns", topic: "app"), policy: policy)
        rig.open()
        let end = 3600.0
        // When each is due again, with its attempts. Half of them are wanted for ten minutes only.
        var due: [(at: Double, job: PushJob)] = (0..<2000).map { number in
            (0, PushFixture.job(number, life: number % 2 == 0 ? 86_400 : 600))
        }
        var perSecond: [Int: Int] = [:]
        var late = 0
        var delivered = 0
        var dead = 0
        var probes = 0
        var time = 0.0
        while time < 2 * end, delivered + dead < 2000 {
            // The queue hands out nothing for a route that is stopped.
            if rig.machine.pausedUntil(now: .milliseconds(Int64(time * 1000))) == nil {
                let ready = due.filter { $0.at <= time }
                due.removeAll { $0.at <= time }
                rig.claim(ready.map(\.job), at: time)
            } else if rig.machine.count > 0 {
                rig.feed(.woke, at: time)
            }
            rig.feed(.woke, at: time)
            for (id, _) in rig.sent {
                if time < end { probes += 1 } else { perSecond[Int(time), default: 0] += 1 }
                let answer = time < end ? PushFixture.answer(503, "ServiceUnavailable") : PushFixture.answer(200)
                rig.sent[id] = nil
                rig.feed(.answered(id, answer), at: time)
            }
            for settlement in rig.settled {
                let number = Int(settlement.jobID.suffix(12)) ?? 0
                var job = PushFixture.job(number, life: number % 2 == 0 ? 86_400 : 600)
                switch settlement.outcome {
                case .delivered:
                    delivered += 1
                    if Double(job.expiresAt - PushFixture.start) / 1000 < time { late += 1 }
                case .retry(let after, let counts):
                    job.attempts += counts ? 1 : 0
                    due.append((time + Double(after.milliseconds) / 1000, job))
                default: dead += 1
                }
            }
            rig.settled = []
            time += 0.05
        }
        #expect(delivered + dead == 2000 && late == 0)
        #expect(delivered >= 900)
        // The bound, and one burst of a twentieth of a second.
        #expect(perSecond.values.allSatisfy { $0 <= 420 })
        let first = perSecond.keys.min() ?? 0
        #expect((perSecond[first] ?? 0) <= 55)
        // While it was out, it was asked seldom: at first by what was under way, then by probes.
        #expect(probes < 250)
    }
}
