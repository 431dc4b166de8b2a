import Testing

@testable import ParleyCore

@Suite struct CircuitBreakerTests {
    /// Fails so often that it stops.
    private static func stopped() -> CircuitBreaker {
        var breaker = CircuitBreaker()
        for _ in 0..<5 { _ = breaker.failed(now: .zero) }
        return breaker
    }

    @Test func itStopsAfterFiveFailuresInARow() {
        var breaker = CircuitBreaker()
        let stops = (0..<5).map { _ in breaker.failed(now: .zero) }
        let allows = breaker.allows(now: .seconds(29))
        #expect(stops == [false, false, false, false, true])
        #expect(!allows)
    }

    @Test func aSuccessBetweenBeginsAnew() {
        var breaker = CircuitBreaker()
        var told = (0..<4).map { _ in breaker.failed(now: .zero) }
        told.append(breaker.succeeded())
        told += (0..<4).map { _ in breaker.failed(now: .zero) }
        let allows = breaker.allows(now: .zero)
        #expect(!told.contains(true))
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

    @Test func aProbeWithoutAnEndIsFollowedByAnother() {
        var breaker = Self.stopped()
        let probes = [30, 60].map { breaker.allows(now: .seconds($0)) }
        #expect(probes == [true, true])
    }

    @Test func aBreakerOpensLongerEachTimeAndClosesByOneProbe() {
        var breaker = CircuitBreaker()
        var now = Duration.zero
        for expected in [30, 60, 120, 240, 300, 300] {
            while breaker.admission(now: now) == .free { _ = breaker.failed(now: now) }
            if breaker.admission(now: now) == .probe {
                breaker.probe(now: now)
                #expect(breaker.admission(now: now) == .closed(until: now + .seconds(30)))
                let hasOpened = breaker.failed(now: now)
                #expect(hasOpened)
            }
            #expect(breaker.admission(now: now) == .closed(until: now + .seconds(expected)))
            now += .seconds(expected)
            #expect(breaker.admission(now: now) == .probe)
        }
        let worksAgain = breaker.succeeded()
        #expect(worksAgain && breaker.isWorking)
        for _ in 0..<4 { _ = breaker.failed(now: now) }
        let workedBefore = !breaker.succeeded()
        #expect(workedBefore && breaker.isWorking)
    }

    @Test func halfOfTwentyIsEnough() {
        var breaker = CircuitBreaker()
        var opened = 0
        for index in 0..<20 {
            if index % 2 == 0 { opened += breaker.failed(now: .zero) ? 1 : 0 } else { _ = breaker.succeeded() }
        }
        opened += breaker.failed(now: .zero) ? 1 : 0
        #expect(opened == 1)
    }
}
