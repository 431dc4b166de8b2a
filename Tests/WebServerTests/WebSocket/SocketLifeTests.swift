import Testing

@testable import WebServer

@Suite struct SocketLifeTests {
    private func life() -> SocketLife { SocketLife(idle: 90, ping: 30, establish: 20, now: 1000) }

    @Test func pingsAndEndsWhoIsSilent() {
        var life = self.life()
        #expect(life.due(1000) == .wait(until: 1020))
        life.established()
        #expect(life.due(1020) == .wait(until: 1030))
        #expect(life.due(1030) == .ping(until: 1060))
        #expect(life.due(1060) == .ping(until: 1090))
        #expect(life.due(1090) == .silent)
    }

    @Test func anyFrameIsLife() {
        var life = self.life()
        life.established()
        for now in stride(from: Int64(1030), through: 2000, by: 30) {
            #expect(life.due(now) == .ping(until: now + 30))
            life.heard(now + 1)
        }
        // Late looks are not made up for.
        #expect(life.due(2069) == .ping(until: 2081))
        #expect(life.due(2081) == .silent)
    }

    @Test func isPingedMoreOftenWhereOthersRelyOnIt() {
        var life = self.life()
        life.established()
        life.ping(every: 10)
        #expect(life.due(1012) == .ping(until: 1022))
        life.heard(1013)
        #expect(life.silence(1020) == 7)
        // never less often
        life.ping(every: 60)
        #expect(life.due(1022) == .ping(until: 1032))
    }

    @Test func hasLittleTimeToBecomeOfUse() {
        var life = self.life()
        life.heard(1019)
        #expect(life.due(1020) == .unestablished)
        life.established()
        #expect(life.due(1020) == .wait(until: 1030))
    }
}

@Suite struct FrameBudgetTests {
    @Test func allowsBurstsAndARate() {
        var budget = FrameBudget(now: 0)
        #expect(budget.take(2048, now: 0) == true)
        #expect(budget.take(200, now: 1000) == true)
        #expect(budget.take(1, now: 1000) == false)
        #expect(budget.take(1, now: 1010) == true)
        // Time that stands still or runs back gives nothing.
        #expect(budget.take(1, now: 1000) == false)
        // The bucket holds no more than a burst.
        #expect(budget.take(2048, now: 1_000_000_000) == true)
        #expect(budget.take(1, now: 1_000_000_000) == false)
    }
}
