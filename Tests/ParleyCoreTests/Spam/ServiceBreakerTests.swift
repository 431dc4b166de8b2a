import ParleyCore
import Testing

@Suite struct ServiceBreakerTests {
    private static func breaker() -> ServiceBreaker { ServiceBreaker(limit: 3, pause: .seconds(30)) }

    /// Fails so often that it stops.
    private static func stopped() -> ServiceBreaker {
        var breaker = Self.breaker()
        for _ in 0..<3 { _ = breaker.failed(now: .zero) }
        return breaker
    }

    @Test func itStopsAfterThreeFailuresInARow() {
        var breaker = Self.breaker()
        let stops = (0..<3).map { _ in breaker.failed(now: .zero) }
        let allows = breaker.allows(now: .seconds(29))
        #expect(stops == [false, false, true])
        #expect(!allows)
    }

    @Test func aSuccessBetweenBeginsAnew() {
        var breaker = Self.breaker()
        var told = (0..<2).map { _ in breaker.failed(now: .zero) }
        told.append(breaker.succeeded())
        told += (0..<2).map { _ in breaker.failed(now: .zero) }
        let allows = breaker.allows(now: .zero)
        #expect(told == [false, false, false, false, false])
        #expect(allows)
    }

    @Test func oneRequestFindsOut() {
        var breaker = Self.stopped()
        let probes = [30, 31].map { breaker.allows(now: .seconds($0)) }
        let works = breaker.succeeded()
        let allows = breaker.allows(now: .seconds(31))
        #expect(probes == [true, false])
        #expect(works)
        #expect(allows)
    }

    @Test func aFailedProbeStopsItAgainWithoutAWord() {
        var breaker = Self.stopped()
        let probes = breaker.allows(now: .seconds(30))
        let told = breaker.failed(now: .seconds(32))
        let later = [61, 62].map { breaker.allows(now: .seconds($0)) }
        #expect(probes)
        #expect(!told)
        #expect(later == [false, true])
    }

    @Test func aProbeWithoutAnEndIsFollowedByAnother() {
        var breaker = Self.stopped()
        let probes = [30, 60].map { breaker.allows(now: .seconds($0)) }
        #expect(probes == [true, true])
    }
}
