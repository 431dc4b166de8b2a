import ParleyCore
import Testing

/// The doorbell as a model: writers and one tail, whose steps interleave in every order a random schedule finds.
///
/// It holds what the database holds (who has the lock, what is committed, whether a bell is on its way) and lets the
/// real `TailMachine` decide. The tail must never wait without a bell while a committed event is unread. If the writers
/// are its own process, it must never wait without a nudge either, awake or asleep.
private struct DoorbellModel {
    enum Writer {
        case idle
        case wrote(rings: Bool)
        case committed(rings: Bool)
        case released(rings: Bool)
    }

    var machine = TailMachine(policy: TailPolicy(quietBeforeSleep: .zero, crowd: 3))
    var action: TailMachine.Action
    var writers: [Writer]
    var tailHoldsLock = false
    var committed = 0
    var isReading = false
    var snapshot: Int?
    var read = 0
    var bell = false
    var nudge = false
    /// The writers are of this process: each nudges when it is told of its commit, and no pause goes by on its own.
    let nudges: Bool
    /// What this model's tail leaves out, to show that the model notices.
    let skipsLastLook: Bool
    let sleepsWithoutLock: Bool
    let forgetsNudgesAfterRead: Bool

    init(
        writers: Int, nudges: Bool, skipsLastLook: Bool, sleepsWithoutLock: Bool, forgetsNudgesAfterRead: Bool
    ) {
        self.writers = Array(repeating: .idle, count: writers)
        self.nudges = nudges
        self.skipsLastLook = skipsLastLook
        self.forgetsNudgesAfterRead = forgetsNudgesAfterRead
        self.sleepsWithoutLock = sleepsWithoutLock
        self.action = self.machine.event(.connected)
    }

    private var sharers: Int {
        self.writers.filter {
            switch $0 {
            case .wrote(rings: false), .committed(rings: false): true
            default: false
            }
        }.count
    }

    mutating func step(writer index: Int, rollsBack: Bool) {
        switch self.writers[index] {
        case .idle: self.writers[index] = .wrote(rings: self.tailHoldsLock)
        case .wrote where rollsBack: self.writers[index] = .idle
        case .wrote(let rings):
            self.committed += 1
            self.writers[index] = .committed(rings: rings)
        // The lock goes, the bell rings and the commit is answered after it is visible.
        case .committed(let rings):
            self.writers[index] = .released(rings: rings)
            self.nudge = self.nudge || self.nudges
        case .released(let rings):
            if rings { self.bell = true }
            self.writers[index] = .idle
        }
    }

    mutating func stepTail() {
        switch self.action {
        case .read where !self.isReading:
            // Its snapshot is taken later than it begins, and its answer comes later still.
            if !self.forgetsNudgesAfterRead { self.nudge = false }
            self.bell = false
            self.snapshot = nil
            self.isReading = true
        case .read where self.snapshot == nil: self.snapshot = self.committed
        case .read:
            let found = self.snapshot ?? 0
            if self.forgetsNudgesAfterRead { self.nudge = false }
            self.isReading = false
            let isLastLook = self.machine.state == .asleep
            let count = isLastLook && self.skipsLastLook ? 0 : found - self.read
            self.read += count
            self.action = self.machine.event(.read(count: count, isFull: false))
        case .deliver: self.action = self.machine.event(.delivered)
        case .tryLock:
            if self.sleepsWithoutLock || self.sharers == 0 {
                self.tailHoldsLock = !self.sleepsWithoutLock
                self.action = self.machine.event(.locked)
            } else {
                self.action = self.machine.event(.lockBusy)
            }
        case .unlock:
            self.tailHoldsLock = false
            self.action = self.machine.event(.unlocked)
        case .pause:
            if self.nudge {
                self.action = self.machine.event(.nudged)
            } else if !self.nudges || self.committed == self.read {
                self.action = self.machine.event(.elapsed)
            }
        case .gather: self.action = self.machine.event(.elapsed)
        case .sleep:
            // Without the backstop: only a bell wakes it.
            if self.bell {
                self.bell = false
                self.action = self.machine.event(.notified)
            } else if self.nudge {
                self.action = self.machine.event(.nudged)
            }
        case .connect: preconditionFailure("the model never disconnects")
        }
    }

    /// Waiting for good, with something to read: nobody is under way who would end it.
    var isStuck: Bool {
        switch self.action {
        case .sleep:
            guard !self.bell, !self.nudge else { return false }
        case .pause:
            guard self.nudges, !self.nudge else { return false }
        default: return false
        }
        return self.committed > self.read
            && self.writers.allSatisfy {
                switch $0 {
                case .committed(let rings): !rings && !self.nudges
                case .released(let rings): !rings
                default: true
                }
            }
    }
}

@Suite struct TailSleepModelTests {
    /// A small generator, so that a failing schedule can be run again.
    private struct Schedule {
        var state: UInt64
        mutating func next(_ bound: Int) -> Int {
            self.state = self.state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((self.state >> 33) % UInt64(bound))
        }
    }

    private func stuckSchedules(
        nudges: Bool = false, skipsLastLook: Bool = false, sleepsWithoutLock: Bool = false,
        forgetsNudgesAfterRead: Bool = false
    ) -> (stuck: Int, slept: Int) {
        var stuck = 0
        var slept = 0
        for seed in 0..<4000 {
            var schedule = Schedule(state: UInt64(seed))
            var model = DoorbellModel(
                writers: 2, nudges: nudges, skipsLastLook: skipsLastLook, sleepsWithoutLock: sleepsWithoutLock,
                forgetsNudgesAfterRead: forgetsNudgesAfterRead)
            for _ in 0..<250 {
                switch schedule.next(3) {
                case 0: model.stepTail()
                case let turn: model.step(writer: turn - 1, rollsBack: schedule.next(5) == 0)
                }
                if case .sleep = model.action { slept += 1 }
                if model.isStuck {
                    stuck += 1
                    break
                }
            }
        }
        return (stuck, slept)
    }

    @Test func noScheduleLeavesAnEventUnreadInItsSleep() {
        let (stuck, slept) = self.stuckSchedules()
        #expect(stuck == 0)
        #expect(slept > 1000)
    }

    @Test func noScheduleLeavesACommitOfItsOwnUnreadInAPause() {
        let (stuck, slept) = self.stuckSchedules(nudges: true)
        #expect(stuck == 0)
        #expect(slept > 1000)
    }

    @Test func theModelNoticesANudgeForgottenTooLate() {
        #expect(self.stuckSchedules(nudges: true, forgetsNudgesAfterRead: true).stuck > 0)
    }

    @Test func theModelNoticesAMissingLastLook() { #expect(self.stuckSchedules(skipsLastLook: true).stuck > 0) }

    @Test func theModelNoticesASleepWithoutTheLock() { #expect(self.stuckSchedules(sleepsWithoutLock: true).stuck > 0) }
}
