internal import Testing

@testable internal import ParleyCore

private let second: Int64 = 1_000_000_000

@Suite struct TokenBucketTests {
    @Test(arguments: [Int64.min, -5, 0, 1_000_000, Int64.max - 20 * 1_000_000_000])
    func allowsABurstThenTheRate(_ origin: Int64) {
        var bucket = TokenBucket(rate: 10, burst: 5)
        for _ in 0..<5 { #expect(bucket.take(now: origin) == true) }
        #expect(bucket.take(now: origin) == false)
        #expect(bucket.wait(now: origin) == second / 10)
        #expect(bucket.take(now: origin + second / 10 - 1) == false)
        #expect(bucket.take(now: origin + second / 10) == true)
        #expect(bucket.take(now: origin + second / 10) == false)
        // A long rest fills it up to the burst and no further.
        let later = origin + 10 * second
        #expect((0..<9).count { _ in bucket.take(now: later) } == 5)
    }

    @Test func takesAllOrNothing() {
        var bucket = TokenBucket(rate: 1, burst: 5)
        #expect(bucket.take(4, now: 0) == true)
        #expect(bucket.take(2, now: 0) == false)
        #expect(bucket.take(1, now: 0) == true)
        #expect(bucket.wait(for: 5, now: 0) == 5 * second)
        #expect(bucket.wait(for: 6, now: 0) == .max)
        #expect(bucket.take(6, now: 1000 * second) == false)
        #expect(bucket.take(0, now: 0) == true)
    }

    @Test func neverExceedsRatePlusBurst() {
        var fuzz = Fuzz("TokenBucket")
        for _ in 0..<50 {
            let rate = Double.random(in: 0.1...2000, using: &fuzz.random)
            let burst = Int.random(in: 1...50, using: &fuzz.random)
            var bucket = TokenBucket(rate: rate, burst: burst)
            var now = Int64.random(in: -1000...1000, using: &fuzz.random)
            let start = now
            var taken = 0
            for _ in 0..<2000 {
                now += Int64.random(in: 0...2_000_000, using: &fuzz.random)
                if bucket.take(now: now) { taken += 1 }
            }
            let allowed = Double(burst) + rate * Double(now - start) / Double(second)
            #expect(Double(taken) <= allowed * 1.0001 + 1e-6, "seed \(fuzz.seed)")
        }
    }

    @Test func aClockThatStepsBackGrantsNothing() {
        var bucket = TokenBucket(rate: 1, burst: 1)
        #expect(bucket.take(now: 10 * second) == true)
        #expect(bucket.take(now: 5 * second) == false)
        #expect(bucket.take(now: 11 * second - 1) == false)
        #expect(bucket.take(now: 11 * second) == true)
    }

    @Test func handlesExtremeRates() {
        for rate in [0, -1, Double.nan, 1e-300] {
            var bucket = TokenBucket(rate: rate, burst: 10)
            #expect(bucket.take(now: 0) == false)
            #expect(bucket.take(now: .max) == false)
            #expect(bucket.wait(now: 0) == .max)
        }
        for rate in [Double.infinity, 1e300] {
            var bucket = TokenBucket(rate: rate, burst: 1)
            #expect((0..<100).count { _ in bucket.take(1000, now: 0) } == 100)
        }
        var huge = TokenBucket(rate: 1e-9, burst: .max)
        #expect(huge.take(now: .max) == true)
        #expect(huge.take(.max, now: .min) == false)
    }

    @Test func keepsWhatWasUsedWhenReconfigured() {
        var bucket = TokenBucket(rate: 1, burst: 2)
        #expect(bucket.take(2, now: 0) == true)
        bucket.configure(rate: 10, burst: 2)
        #expect(bucket.take(now: 0) == false)
        #expect(bucket.take(now: 2 * second) == true)
    }
}

@Suite struct ThrottleTests {
    @Test(arguments: [Int64.min, -1, 0, 999_999_999])
    func oncePerIntervalAndKey(_ origin: Int64) {
        var throttle = Throttle<String>()
        #expect(throttle.allows("a", now: origin) == true)
        #expect(throttle.allows("b", now: origin + 1) == true)
        #expect(throttle.allows("a", now: origin + second - 1) == false)
        #expect(throttle.allows("a", now: origin + second) == true)
        #expect(throttle.allows("b", now: origin + second) == false)
        #expect(throttle.allows("b", now: origin + second + 1) == true)
        #expect(throttle.allows("a", now: origin + 2 * second - 1) == false)
        #expect(throttle.allows("a", now: origin + 2 * second) == true)
    }

    @Test func neverTwiceWithinAnInterval() {
        var fuzz = Fuzz("Throttle")
        var throttle = Throttle<Int>(interval: 100, capacity: 1000)
        var last: [Int: Int64] = [:]
        var now: Int64 = 0
        for _ in 0..<20_000 {
            now += Int64.random(in: 0...20, using: &fuzz.random)
            let key = Int.random(in: 0..<20, using: &fuzz.random)
            let expected = last[key].map { now - $0 >= 100 } ?? true
            #expect(throttle.allows(key, now: now) == expected, "seed \(fuzz.seed)")
            if expected { last[key] = now }
        }
    }

    @Test func forgetsAndStaysBounded() {
        var throttle = Throttle<Int>(interval: 100, capacity: 10)
        #expect((0..<50).count { throttle.allows($0, now: 0) } == 10)
        #expect(throttle.count == 10)
        // The next interval has room again, and remembers the one before.
        #expect((0..<50).count { throttle.allows($0, now: 150) } == 10)
        #expect(throttle.count <= 20)
        #expect(throttle.allows(99, now: 1000) == true)
        #expect(throttle.count == 1)
    }

    @Test func resets() {
        var throttle = Throttle<Int>()
        #expect(throttle.allows(1, now: 0) == true)
        throttle.reset(1)
        #expect(throttle.allows(1, now: 0) == true)
    }
}
