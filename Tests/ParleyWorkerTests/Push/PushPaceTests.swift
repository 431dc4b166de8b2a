import Testing

@testable import ParleyWorker

@Suite struct PushPaceTests {
    @Test func pushWaitsForTalkAndNeverForLong() {
        let calm = PushPace()
        #expect(calm.pause(after: .milliseconds(3)) == .milliseconds(6))
        #expect(calm.pause(after: .milliseconds(3), isBehind: true) == .zero)
        #expect(calm.pause(after: .seconds(20)) == .milliseconds(250))
        let pressed = PushPace { true }
        #expect(pressed.pause(after: .milliseconds(3), isBehind: true) == .milliseconds(50))
        #expect(pressed.pause(after: .milliseconds(20)) == .milliseconds(160))
        #expect(pressed.pause(after: .seconds(20)) == .milliseconds(250))
    }
}
