import ParleyCore
import Testing

@Suite struct ServiceBreakerTests {
    private var breaker = ServiceBreaker(limit: 3, pause: .seconds(30))

    /// Fails so often that it stops.
    private static func stopped() -> ServiceBreaker {
        var breaker = ServiceBreaker(limit: 3, pause: .seconds(30))
        for _ in 0..<3 { _ = breaker.failed(now: .zero) }
        return breaker
    }

    @Test mutating func itStopsAfterThreeFailuresInARow() {
        #expect(!self.breaker.failed(now: .zero) && !self.breaker.failed(now: .zero))
        #expect(self.breaker.allows(now: .zero))
        #expect(self.breaker.failed(now: .zero))
        #expect(!self.breaker.allows(now: .seconds(29)))
    }

    @Test mutating func aSuccessBetweenBeginsAnew() {
        #expect(!self.breaker.failed(now: .zero) && !self.breaker.failed(now: .zero))
        #expect(!self.breaker.succeeded())
        #expect(!self.breaker.failed(now: .zero) && !self.breaker.failed(now: .zero))
        #expect(self.breaker.allows(now: .zero))
    }

    @Test func oneRequestFindsOut() {
        var breaker = Self.stopped()
        #expect(breaker.allows(now: .seconds(30)))
        #expect(!breaker.allows(now: .seconds(31)))
        #expect(breaker.succeeded())
        #expect(breaker.allows(now: .seconds(31)))
    }

    @Test func aFailedProbeStopsItAgainWithoutAWord() {
        var breaker = Self.stopped()
        #expect(breaker.allows(now: .seconds(30)))
        #expect(!breaker.failed(now: .seconds(32)))
        #expect(!breaker.allows(now: .seconds(61)))
        #expect(breaker.allows(now: .seconds(62)))
    }

    @Test func aProbeWithoutAnEndIsFollowedByAnother() {
        var breaker = Self.stopped()
        #expect(breaker.allows(now: .seconds(30)))
        #expect(breaker.allows(now: .seconds(60)))
    }
}
