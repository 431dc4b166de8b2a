import ParleyCore
import Testing

/// The doorbell as a model: writers and one tail, whose steps interleave in every order a random schedule finds.
///
/// It holds what the database holds (who has the lock, what is committed, whether a bell is on its way) and lets the
/// real `TailMachine` decide. The tail must never wait without a bell while a committed event is unread.
private struct DoorbellModel {
    enum Writer {
        case idle
        case wrote(rings: Bool)
        case committed(rings: Bool)
        case released(rings: Bool)
    }

    var machine = TailMachine(policy: TailPolicy(readsBeforeSleep: 1))
    var action: TailMachine.Action
    var writers: [Writer]
    var tailHoldsLock = false
    var committed = 0
    var read = 0
    var bell = false
    /// What this model's tail leaves out, to show that the model notices.
    let skipsLastLook: Bool
    let sleepsWithoutLock: Bool

    init(writers: Int, skipsLastLook: Bool, sleepsWithoutLock: Bool) {
        self.writers = Array(repeating: .idle, count: writers)
        self.skipsLastLook = skipsLastLook
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
        // The lock goes, and the bell rings, after the commit is visible.
        case .committed(let rings): self.writers[index] = .released(rings: rings)
        case .released(let rings):
            if rings { self.bell = true }
            self.writers[index] = .idle
        }
    }

    mutating func stepTail() {
        switch self.action {
        case .read:
            self.bell = false
            let isLastLook = self.machine.state == .asleep
            let count = isLastLook && self.skipsLastLook ? 0 : self.committed - self.read
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
        case .pause: self.action = self.machine.event(.elapsed)
        case .sleep:
            // Without the backstop: only a bell wakes it.
            if self.bell {
                self.bell = false
                self.action = self.machine.event(.notified)
            }
        case .connect: preconditionFailure("the model never disconnects")
        }
    }

    /// Asleep for good, with something to read: nobody is under way who would ring.
    var isStuck: Bool {
        guard case .sleep = self.action, self.committed > self.read, !self.bell else { return false }
        return self.writers.allSatisfy {
            switch $0 {
            case .committed(rings: true), .released(rings: true): false
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
        skipsLastLook: Bool = false, sleepsWithoutLock: Bool = false
    ) -> (stuck: Int, slept: Int) {
        var stuck = 0
        var slept = 0
        for seed in 0..<4000 {
            var schedule = Schedule(state: UInt64(seed))
            var model = DoorbellModel(
                writers: 2, skipsLastLook: skipsLastLook, sleepsWithoutLock: sleepsWithoutLock)
            for _ in 0..<60 {
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

    @Test func theModelNoticesAMissingLastLook() { #expect(self.stuckSchedules(skipsLastLook: true).stuck > 0) }

    @Test func theModelNoticesASleepWithoutTheLock() { #expect(self.stuckSchedules(sleepsWithoutLock: true).stuck > 0) }
}
