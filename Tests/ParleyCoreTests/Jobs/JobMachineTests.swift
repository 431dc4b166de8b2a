import ParleyCore
import Testing

@Suite struct JobMachineTests {
    private static let policy = JobPolicy(
        sideBySide: 2, longestPause: .seconds(5), shortestPause: .milliseconds(250),
        retryPause: .seconds(1)...(.seconds(30)))

    /// Events at their time in milliseconds, and the actions they must cause.
    private func expect(
        _ steps: [(Int, JobMachine.Event, [JobMachine.Action])], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var machine = JobMachine(policy: Self.policy)
        for (index, (time, event, actions)) in steps.enumerated() {
            let answer = machine.event(event, now: .milliseconds(time))
            #expect(answer == actions, "step \(index)", sourceLocation: sourceLocation)
        }
    }

    private func job(_ name: String, _ wait: Int, failures: Int64 = 0, code: String? = nil) -> JobMachine.Job {
        JobMachine.Job(name: name, wait: .milliseconds(wait), failures: failures, code: code)
    }

    @Test func whatIsDueRunsAndTheRestIsWaitedFor() {
        self.expect([
            (0, .started, [.list]),
            (1, .listed([self.job("a", 0), self.job("b", 700)]), [.wake(at: .milliseconds(701)), .run("a")]),
            // It had nothing more to do: looked at again soon, because only the table knows when it is due next.
            (5, .ran("a", more: false), [.wake(at: .milliseconds(255))]),
            (255, .woke, [.list]),
            (256, .listed([self.job("b", 445), self.job("a", 900)]), [.wake(at: .milliseconds(701))]),
            (701, .woke, [.list]),
            (702, .listed([self.job("b", 0), self.job("a", 454)]), [.wake(at: .milliseconds(1156)), .run("b")]),
        ])
    }

    @Test func nothingIsDueForLongAndItLooksAllTheSame() {
        self.expect([
            (0, .started, [.list]),
            (0, .listed([self.job("a", 3_600_000)]), [.wake(at: .seconds(5))]),
            (5_000, .woke, [.list]),
            (5_000, .listed([]), [.wake(at: .seconds(10))]),
        ])
    }

    @Test func oneWithMoreToDoGoesBehindThoseThatWait() {
        self.expect([
            (0, .started, [.list]),
            (
                0, .listed([self.job("a", 0), self.job("b", 0), self.job("c", 0)]),
                [.wake(at: .seconds(5)), .run("a"), .run("b")]
            ),
            (1, .ran("a", more: true), [.run("c")]),
            (2, .ran("c", more: true), [.run("a")]),
            (3, .ran("a", more: true), [.run("c")]),
            (4, .ran("b", more: false), [.wake(at: .milliseconds(254)), .run("a")]),
        ])
    }

    @Test func aLongOneDoesNotKeepTheOthersWaiting() {
        self.expect([
            (0, .started, [.list]),
            (
                0, .listed([self.job("long", 0), self.job("short", 100)]),
                [.wake(at: .milliseconds(100)), .run("long")]
            ),
            (100, .woke, [.list]),
            // The long one is still due in the table, because it has not ended, and is not run a second time.
            (
                100, .listed([self.job("long", 0), self.job("short", 0)]),
                [.wake(at: .milliseconds(5_100)), .run("short")]
            ),
            (101, .ran("short", more: false), [.wake(at: .milliseconds(351))]),
            (351, .woke, [.list]),
            (
                351, .listed([self.job("long", 0), self.job("short", 0)]),
                [.wake(at: .milliseconds(5_351)), .run("short")]
            ),
        ])
    }

    /// Another worker has it: the answer is the same as when nothing was left, and the table still calls it due.
    @Test func oneThatAnotherHasIsNotAskedForWithoutEnd() {
        self.expect([
            (0, .started, [.list]),
            (0, .listed([self.job("a", 0)]), [.wake(at: .seconds(5)), .run("a")]),
            (1, .ran("a", more: false), [.wake(at: .milliseconds(251))]),
            (251, .woke, [.list]),
            (251, .listed([self.job("a", 0)]), [.wake(at: .milliseconds(5_251)), .run("a")]),
        ])
    }

    @Test func aRunWithoutAKnownEndIsPutOffLongerEachTime() {
        var machine = JobMachine(policy: Self.policy)
        _ = machine.event(.started, now: .zero)
        var now = Duration.zero
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            #expect(machine.event(.listed([self.job("a", 0), self.job("b", 9_000_000)]), now: now).last == .run("a"))
            let actions = machine.event(.runFailed("a"), now: now)
            // Never longer than the longest pause between two looks, which find it waiting.
            var wake = Duration.seconds(pause)
            if wake >= Self.policy.longestPause {
                #expect(actions == [])
                wake = Self.policy.longestPause
            } else {
                #expect(actions == [.wake(at: now + wake)])
            }
            let ready = now + .seconds(pause)
            while now < ready {
                now = min(now + wake, ready)
                #expect(machine.event(.woke, now: now) == [.list])
                guard now < ready else { break }
                let next = min(ready, now + Self.policy.longestPause)
                #expect(machine.event(.listed([self.job("a", 0)]), now: now) == [.wake(at: next)])
                wake = Self.policy.longestPause
            }
        }
        #expect(machine.event(.listed([self.job("a", 0)]), now: now).last == .run("a"))
        _ = machine.event(.ran("a", more: false), now: now)
        _ = machine.event(.woke, now: now + .milliseconds(250))
        #expect(machine.event(.listed([self.job("a", 0)]), now: now + .milliseconds(250)).last == .run("a"))
        // It went well once, so the next pause is the first again.
        #expect(
            machine.event(.runFailed("a"), now: now + .milliseconds(250)) == [.wake(at: now + .milliseconds(1_250))])
    }

    @Test func aTableThatCannotBeReadIsAskedForLessAndLess() {
        self.expect([
            (0, .started, [.list]),
            (0, .listFailed, [.wake(at: .seconds(1))]),
            (1_000, .woke, [.list]),
            (1_000, .listFailed, [.wake(at: .seconds(3))]),
            (3_000, .woke, [.list]),
            (3_000, .listed([self.job("a", 0)]), [.wake(at: .seconds(8)), .run("a")]),
            (3_001, .ran("a", more: true), [.run("a")]),
            (8_000, .woke, [.list]),
            (8_000, .listFailed, [.wake(at: .seconds(9))]),
        ])
    }

    @Test func aFailureIsReportedOnceEach() {
        let failed = self.job("a", 900, failures: 2, code: "42883")
        self.expect([
            (0, .started, [.list]),
            (0, .listed([failed]), [.report(failed), .wake(at: .milliseconds(900))]),
            (900, .woke, [.list]),
            (900, .listed([self.job("a", 100, failures: 2, code: "42883")]), [.wake(at: .milliseconds(1_000))]),
            (1_000, .woke, [.list]),
            (1_000, .listed([self.job("a", 100, code: "42883")]), [.wake(at: .milliseconds(1_100))]),
            (1_100, .woke, [.list]),
            (
                1_100, .listed([self.job("a", 100, failures: 1, code: "53100")]),
                [.report(self.job("a", 100, failures: 1, code: "53100")), .wake(at: .milliseconds(1_200))]
            ),
        ])
    }

    @Test func drainingFinishesWhatRunsAndBeginsNothing() {
        self.expect([
            (0, .started, [.list]),
            (
                0, .listed([self.job("a", 0), self.job("b", 0), self.job("c", 0)]),
                [.wake(at: .seconds(5)), .run("a"), .run("b")]
            ),
            (1, .drain, []),
            (2, .ran("a", more: true), []),
            (3, .woke, []),
            (4, .runFailed("b"), [.finish]),
            (5, .drain, []),
        ])
        self.expect([(0, .started, [.list]), (1, .drain, []), (2, .listed([self.job("a", 0)]), [.finish])])
        self.expect([(0, .started, [.list]), (1, .drain, []), (2, .listFailed, [.finish])])
    }

    @Test func oneThatIsGoneFromTheTableIsForgotten() {
        self.expect([
            (0, .started, [.list]),
            (
                0, .listed([self.job("a", 0), self.job("b", 0), self.job("c", 0)]),
                [.wake(at: .seconds(5)), .run("a"), .run("b")]
            ),
            (5_000, .woke, [.list]),
            (5_000, .listed([self.job("a", 0)]), [.wake(at: .seconds(10))]),
            // Neither c, which waited, nor b, whatever it says, runs any more.
            (5_001, .ran("b", more: false), [.wake(at: .milliseconds(5_251))]),
            (5_002, .ran("a", more: false), []),
        ])
    }

    /// Whatever happens, and however often, a job runs once at a time, the sides are kept, and it never falls silent.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func noScheduleLosesOrDoublesAJob(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var machine = JobMachine(policy: Self.policy)
        var now = Duration.zero
        var running: Set<String> = []
        var isListing = false
        var wakesAt: Duration?
        var runs = 0
        func carryOut(_ actions: [JobMachine.Action]) {
            for action in actions {
                switch action {
                case .list:
                    #expect(!isListing)
                    isListing = true
                case .run(let name):
                    #expect(running.insert(name).inserted, "\(name) runs twice")
                    runs += 1
                case .wake(let time): wakesAt = time
                case .report, .finish: break
                }
            }
            #expect(running.count <= Self.policy.sideBySide)
            #expect(isListing || wakesAt != nil, "nothing will ever happen again")
        }
        carryOut(machine.event(.started, now: now))
        for _ in 0..<400 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where isListing:
                isListing = false
                let jobs = ["a", "b", "c", "d"].filter { _ in Int.random(in: 0..<5, using: &random) > 0 }
                carryOut(
                    Int.random(in: 0..<6, using: &random) == 0
                        ? machine.event(.listFailed, now: now)
                        : machine.event(
                            .listed(jobs.map { self.job($0, Int.random(in: 0..<3, using: &random) * 400) }), now: now))
            case 1:
                guard let name = running.sorted().first else { continue }
                running.remove(name)
                carryOut(
                    Int.random(in: 0..<4, using: &random) == 0
                        ? machine.event(.runFailed(name), now: now)
                        : machine.event(.ran(name, more: Int.random(in: 0..<2, using: &random) == 0), now: now))
            default:
                guard let time = wakesAt, !isListing || Int.random(in: 0..<2, using: &random) == 0 else { continue }
                now = max(now, time)
                wakesAt = nil
                // A look that is under way when the time comes is that look.
                carryOut(machine.event(.woke, now: now))
            }
        }
        #expect(runs > 10)
    }
}
