import Testing

@testable import ParleyCore

@Suite struct ExpiryWheelTests {
    @Test(arguments: [1, 2, 63, 64, 65, 127, 128, 1000, 100_000] as [Int64]) func firesInItsSecond(after: Int64) {
        var wheel = ExpiryWheel<Int>(now: 1000)
        wheel.insert(7, at: 1000 + after)
        for second in 1001..<1000 + after {
            if !wheel.advance(to: second, due: { _ in 1000 + after }).isEmpty { Issue.record("early at \(second)") }
        }
        #expect(wheel.advance(to: 1000 + after, due: { _ in 1000 + after }) == [7])
        #expect(wheel.count == 0)
    }

    @Test func pastTimesFireNext() {
        var wheel = ExpiryWheel<Int>(now: 1000)
        wheel.insert(1, at: 5)
        #expect(wheel.advance(to: 1001, due: { _ in 5 }) == [1])
    }

    @Test func aJumpOfTheClockMissesNothing() {
        var wheel = ExpiryWheel<Int>(now: 1000)
        for key in 1...200 { wheel.insert(key, at: 1000 + Int64(key)) }
        let fired = wheel.advance(to: 1150) { 1000 + Int64($0) }
        #expect(Set(fired) == Set(1...150))
        #expect(wheel.count == 50)
        #expect(Set(wheel.advance(to: 1200) { 1000 + Int64($0) }) == Set(151...200))
    }

    @Test func aClockSetBackGoesOnFromThere() {
        var wheel = ExpiryWheel<Int>(now: 1000)
        wheel.insert(1, at: 1010)
        #expect(wheel.advance(to: 500) { _ in 510 }.isEmpty)
        var fired: [Int] = []
        for second in 501...564 as ClosedRange<Int64> { fired += wheel.advance(to: second) { _ in 510 } }
        #expect(fired == [1])
    }

    @Test func postponedEntriesMoveAndStaleOnesGo() {
        var wheel = ExpiryWheel<Int>(now: 1000)
        var due: [Int: Int64] = [1: 1010, 2: 1010]
        for key in [1, 2] { wheel.insert(key, at: 1010) }
        due = [1: 1037]
        for second in 1001...1036 as ClosedRange<Int64> {
            #expect(wheel.advance(to: second) { due[$0] }.isEmpty)
        }
        #expect(wheel.count == 1)
        #expect(wheel.advance(to: 1037) { due[$0] } == [1])
    }

    @Test func theSameEntryIsKeptOnce() {
        var wheel = ExpiryWheel<Int>(now: 1000)
        for _ in 0..<5 { wheel.insert(1, at: 1010) }
        wheel.insert(1, at: 1020)
        #expect(wheel.count == 2)
        // Asked again in the slot of the older time, it joins the newer.
        for second in 1001...1010 as ClosedRange<Int64> { _ = wheel.advance(to: second) { _ in 1020 } }
        #expect(wheel.count == 1)
    }
}
