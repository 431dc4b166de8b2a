import ParleyCore
import Testing

@Suite struct TailMachineTests {
    /// Events and the actions they must cause, from a connected tail on.
    private func expect(
        _ steps: [(TailMachine.Event, TailMachine.Action)], pollOnly: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var machine = TailMachine(policy: TailPolicy(quietBeforeSleep: .milliseconds(1)), pollOnly: pollOnly)
        #expect(machine.start == .connect(after: .zero), sourceLocation: sourceLocation)
        for (index, (event, action)) in steps.enumerated() {
            let answer = machine.event(event)
            #expect(answer == action, "step \(index)", sourceLocation: sourceLocation)
        }
    }

    @Test func whatIsReadIsDeliveredBeforeTheNextRead() {
        self.expect([
            (.connected, .read),
            (.read(count: 3, isFull: false), .deliver),
            (.delivered, .pause(.milliseconds(1))),
            (.elapsed, .read),
        ])
    }

    @Test func aFullBatchIsFollowedByAReadAtOnce() {
        self.expect([(.connected, .read), (.read(count: 500, isFull: true), .deliver), (.delivered, .read)])
    }

    @Test func aQuietLogPutsItToSleepOverTheLock() {
        self.expect([
            (.connected, .read),
            (.read(count: 0, isFull: false), .pause(.milliseconds(1))),
            (.elapsed, .read),
            (.read(count: 0, isFull: false), .tryLock),
            (.locked, .read),
            (.read(count: 0, isFull: false), .sleep(.seconds(1))),
            // The backstop reads with the lock still held, so it may sleep on.
            (.elapsed, .read),
            (.read(count: 0, isFull: false), .sleep(.seconds(1))),
            (.notified, .unlock),
            (.unlocked, .read),
        ])
    }

    @Test func aNudgeIsFollowedByAReadAtOnce() {
        self.expect([
            (.connected, .read),
            (.read(count: 0, isFull: false), .pause(.milliseconds(1))),
            (.nudged, .read),
            (.read(count: 1, isFull: false), .deliver),
            (.delivered, .pause(.milliseconds(1))),
            (.nudged, .read),
        ])
    }

    @Test func manyEventsAreReadTogetherWhoeverNudges() {
        self.expect([
            (.connected, .read),
            (.read(count: 8, isFull: false), .deliver),
            (.delivered, .gather(.milliseconds(2))),
            (.elapsed, .read),
            (.read(count: 7, isFull: false), .deliver),
            (.delivered, .pause(.milliseconds(1))),
        ])
    }

    /// Nudges tell of everything this process commits; the clock is for the others, and they write nothing here.
    @Test func whereOnlyThisProcessWritesTheClockReadsLess() {
        var machine = TailMachine()
        var action = machine.event(.connected)
        var pauses: [Duration] = []
        for turn in 0..<24 {
            if turn % 2 == 0 {
                #expect(machine.event(.read(count: 1, isFull: false)) == .deliver)
                action = machine.event(.delivered)
            } else {
                action = machine.event(.read(count: 0, isFull: false))
            }
            guard case .pause(let time) = action else {
                Issue.record("\(action)")
                return
            }
            pauses.append(time)
            // One event by a nudge, then a read by the clock in vain.
            #expect(machine.event(turn % 2 == 0 ? .elapsed : .nudged) == .read)
        }
        #expect(Array(pauses.prefix(6)) == [1, 2, 2, 4, 4, 8].map { .milliseconds($0) })
        #expect(pauses.suffix(12).allSatisfy { $0 == .milliseconds(8) })
        // Somebody else does.
        _ = machine.event(.read(count: 0, isFull: false))
        #expect(machine.event(.elapsed) == .read)
        #expect(machine.event(.read(count: 1, isFull: false)) == .deliver)
        #expect(machine.event(.delivered) == .pause(.milliseconds(1)))
    }

    @Test func aNudgeInItsSleepIsLookedIntoWithTheLock() {
        self.expect([
            (.connected, .read),
            (.read(count: 0, isFull: false), .pause(.milliseconds(1))),
            (.elapsed, .read),
            (.read(count: 0, isFull: false), .tryLock),
            (.locked, .read),
            (.read(count: 0, isFull: false), .sleep(.seconds(1))),
            (.nudged, .read),
            (.read(count: 0, isFull: false), .sleep(.seconds(1))),
            (.nudged, .read),
            (.read(count: 1, isFull: false), .unlock),
            (.unlocked, .deliver),
        ])
    }

    @Test func whatTheLastLookFindsIsDeliveredWithoutTheLock() {
        self.expect([
            (.connected, .read),
            (.read(count: 0, isFull: false), .pause(.milliseconds(1))),
            (.elapsed, .read),
            (.read(count: 0, isFull: false), .tryLock),
            (.locked, .read),
            (.read(count: 1, isFull: false), .unlock),
            (.unlocked, .deliver),
            // After one read by the clock in vain.
            (.delivered, .pause(.milliseconds(2))),
        ])
    }

    @Test func anOpenWriterKeepsItAwakeAndSlower() {
        var steps: [(TailMachine.Event, TailMachine.Action)] = [
            (.connected, .read),
            (.read(count: 0, isFull: false), .pause(.milliseconds(1))),
            (.elapsed, .read),
        ]
        for pause in [2, 4, 8, 16, 20, 20] {
            steps.append((.read(count: 0, isFull: false), .tryLock))
            steps.append((.lockBusy, .pause(.milliseconds(pause))))
            steps.append((.elapsed, .read))
        }
        self.expect(steps)
    }

    @Test func pollOnlyNeverTouchesTheLock() {
        var machine = TailMachine(pollOnly: true)
        var action = machine.event(.connected)
        var longest = Duration.zero
        for _ in 0..<100 {
            switch action {
            case .read: action = machine.event(.read(count: 0, isFull: false))
            case .pause(let time):
                longest = max(longest, time)
                action = machine.event(.elapsed)
            default: Issue.record("\(action)")
            }
            #expect(machine.state == .awake)
        }
        #expect(longest == .milliseconds(50))
    }

    @Test func reconnectingTakesLongerAndLonger() {
        var machine = TailMachine()
        let delays = [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]
        for delay in delays { #expect(machine.event(.disconnected) == .connect(after: .milliseconds(delay))) }
        #expect(machine.state == .disconnected)
        // A connection on which nothing was read is no better than none.
        #expect(machine.event(.connected) == .read)
        #expect(machine.event(.disconnected) == .connect(after: .milliseconds(5000)))
        #expect(machine.event(.connected) == .read)
        _ = machine.event(.read(count: 0, isFull: false))
        #expect(machine.event(.disconnected) == .connect(after: .milliseconds(50)))
    }
}
