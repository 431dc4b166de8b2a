import Support
import Testing

@testable import ParleyWorker

@Suite struct PushPaceTests {
    /// How long it pauses altogether.
    private func length(
        _ pace: PushPace, _ stage: PushPace.Stage, after time: Duration, isBehind: Bool = false
    ) -> Duration {
        var paused = Duration.zero
        while let part = pace.pause(stage, after: time, isBehind: isBehind, paused: paused) { paused += part }
        return paused
    }

    @Test func pushWaitsForTalkAndNeverForLong() {
        let calm = PushPace()
        #expect(self.length(calm, .reading, after: .milliseconds(3)) == .milliseconds(3))
        #expect(self.length(calm, .sending, after: .seconds(20)) == .milliseconds(250))
        let pressed = PushPace { true }
        #expect(self.length(pressed, .reading, after: .milliseconds(3)) == .seconds(3))
        #expect(self.length(pressed, .reading, after: .seconds(20)) == .seconds(3))
        #expect(self.length(pressed, .sending, after: .milliseconds(3)) == .milliseconds(30))
        #expect(self.length(pressed, .sending, after: .seconds(20)) == .milliseconds(250))
    }

    @Test func whoIsBehindPausesShortly() {
        let calm = PushPace()
        #expect(self.length(calm, .reading, after: .seconds(1), isBehind: true) == .milliseconds(250))
        #expect(self.length(calm, .sending, after: .milliseconds(30), isBehind: true) == .zero)
        let pressed = PushPace { true }
        #expect(self.length(pressed, .reading, after: .seconds(1), isBehind: true) == .milliseconds(250))
        #expect(self.length(pressed, .sending, after: .milliseconds(30), isBehind: true) == .milliseconds(60))
        #expect(self.length(pressed, .sending, after: .seconds(1), isBehind: true) == .milliseconds(250))
    }

    @Test func pushGoesOnSoonOnceNobodyWaits() {
        let looks = Locked(0)
        let pace = PushPace {
            looks.withLock {
                $0 += 1
                return $0 < 4
            }
        }
        #expect(self.length(pace, .reading, after: .milliseconds(10)) < .milliseconds(100))
    }
}
