internal import FoundationEssentials
internal import Testing

@testable internal import ParleyCore

private typealias Batcher = CommandBatcher

@Suite struct CommandBatcherTests {
    private let conversations = (0..<6).map { _ in UUID() }
    private let users = (0..<6).map { _ in UUID() }

    private func entry(_ command: Int, _ conversation: Int, _ user: Int) -> Batcher.Entry {
        Batcher.Entry(command, conversation: self.conversations[conversation], user: self.users[user])
    }

    private func together(_ actions: [Batcher.Action]) -> [[Int]] {
        actions.compactMap { if case .together(let entries) = $0 { entries.map(\.command) } else { nil } }
    }

    private func alone(_ actions: [Batcher.Action]) -> [Int] {
        actions.compactMap { if case .alone(let entry) = $0 { entry.command } else { nil } }
    }

    @Test func anIdleDatabaseMakesNobodyWait() {
        var batcher = Batcher(running: 2)
        #expect(self.together(batcher.add(self.entry(1, 0, 0), now: 0)) == [[1]])
        #expect(self.together(batcher.add(self.entry(2, 1, 1), now: 0)) == [[2]])
        #expect(batcher.add(self.entry(3, 2, 2), now: 7).isEmpty)
        #expect(batcher.waitingCount == 1)
        #expect(batcher.waitingSince == 7, "whatever it waited for before")
    }

    @Test func whatCameMeanwhileSharesTheNextTransaction() {
        var batcher = Batcher(running: 1, largest: 3)
        let first = self.entry(0, 0, 0)
        #expect(self.together(batcher.add(first, now: 0)) == [[0]])
        for command in 1...5 { #expect(batcher.add(self.entry(command, command, command), now: 0).isEmpty) }
        let next = self.together(batcher.finished([first], .answered, now: 0))
        #expect(next.count == 1 && next[0].sorted() == [1, 2, 3])
    }

    @Test func twoTransactionsNeverLockTheSame() {
        var batcher = Batcher(running: 2)
        let first = self.entry(1, 0, 0)
        #expect(self.together(batcher.add(first, now: 0)) == [[1]])
        #expect(batcher.add(self.entry(2, 0, 1), now: 0).isEmpty, "the same conversation")
        #expect(batcher.add(self.entry(3, 1, 0), now: 0).isEmpty, "the same user")
        #expect(self.together(batcher.add(self.entry(4, 2, 2), now: 0)) == [[4]])
        let next = self.together(batcher.finished([first], .answered, now: 0))
        #expect(next.map { $0.sorted() } == [[2, 3]])
    }

    @Test func whoWaitsForABusyConversationHoldsUpNobodyElse() {
        var batcher = Batcher(running: 2, largest: 2)
        let first = self.entry(0, 0, 0)
        #expect(self.together(batcher.add(first, now: 0)) == [[0]])
        for command in 1...50 {
            let entry = Batcher.Entry(command, conversation: self.conversations[0], user: UUID())
            #expect(batcher.add(entry, now: 0).isEmpty)
        }
        #expect(batcher.waitingSince == nil, "nobody waits for the database")
        #expect(self.together(batcher.add(self.entry(51, 1, 1), now: 0)) == [[51]])
        #expect(batcher.waitingCount == 50)
        let next = batcher.finished([first], .answered, now: 0)
        #expect(self.together(next) == [[1, 2]])
        let other = self.entry(52, 2, 2)
        #expect(batcher.add(other, now: 0).isEmpty, "two are running")
        #expect(self.together(batcher.finished([self.entry(51, 1, 1)], .answered, now: 0)) == [[52]])
    }

    /// What waits for somebody busy costs the others nothing: who may run is found by what is free.
    @Test(arguments: [true, false]) func whatMayNotRunIsNotLookedAt(ofOneUser: Bool) {
        func looks(waiting: Int) -> Int {
            var batcher = Batcher(running: 2)
            _ = batcher.add(self.entry(0, 0, 0), now: 0)
            for command in 1...waiting {
                let entry = Batcher.Entry(
                    command, conversation: ofOneUser ? UUID() : self.conversations[0],
                    user: ofOneUser ? self.users[0] : UUID())
                #expect(batcher.add(entry, now: 0).isEmpty)
            }
            var running = self.entry(-1, 1, 1)
            #expect(self.together(batcher.add(running, now: 0)) == [[-1]])
            for command in 2...9 {
                let next = self.entry(-command, 1 + command % 2, 1 + command % 2)
                #expect(batcher.add(next, now: 0).isEmpty)
                #expect(self.together(batcher.finished([running], .answered, now: 0)) == [[-command]])
                running = next
            }
            return batcher.looks
        }
        #expect(looks(waiting: 10) == looks(waiting: 5_000))
    }

    @Test func aBatchThatIsCutLeavesTheRestInTurn() {
        var batcher = Batcher(running: 1, largest: 2)
        var running = [self.entry(0, 0, 0)]
        _ = batcher.add(running[0], now: 0)
        let waiting = (1...5).map { self.entry($0, $0 % 2, $0) }
        for (index, entry) in waiting.enumerated() { _ = batcher.add(entry, now: Int64(index)) }
        var ended: [Int] = []
        while !running.isEmpty {
            #expect(batcher.waitingSince == waiting.first { !ended.contains($0.command) }.map { Int64($0.command - 1) })
            let next = batcher.finished(running, .answered, now: 9)
            running = next.flatMap { (action: Batcher.Action) -> [Batcher.Entry] in
                if case .together(let entries) = action { entries } else { [] }
            }
            ended += running.map(\.command)
        }
        #expect(ended.filter { $0 % 2 == 0 } == [2, 4] && ended.filter { $0 % 2 == 1 } == [1, 3, 5])
        #expect(batcher.waitingCount == 0 && batcher.waitingSince == nil)
    }

    @Test func callsOfOneConversationStayInOrder() {
        var batcher = Batcher(running: 1)
        let first = self.entry(0, 5, 5)
        _ = batcher.add(first, now: 0)
        for command in 1...8 { _ = batcher.add(self.entry(command, command % 2, command % 5), now: 0) }
        let next = self.together(batcher.finished([first], .answered, now: 0))
        #expect(next.count == 1 && next[0].count == 8)
        #expect(next[0].filter { $0 % 2 == 0 } == [2, 4, 6, 8])
        #expect(next[0].filter { $0 % 2 == 1 } == [1, 3, 5, 7])
    }

    @Test(arguments: [CommandBatcher.Outcome.refused, .locked])
    func whoShareAFailureRunByThemselves(outcome: CommandBatcher.Outcome) {
        var batcher = Batcher(running: 1)
        let entries = [self.entry(1, 0, 0), self.entry(2, 1, 1)]
        _ = batcher.add(entries[0], now: 0)
        #expect(self.alone(batcher.finished(entries, outcome, now: 0)) == [1, 2])
        // While one of its commands runs alone, a conversation's next does too.
        #expect(self.alone(batcher.add(self.entry(3, 0, 3), now: 0)) == [3])
        #expect(self.together(batcher.add(self.entry(4, 2, 3), now: 0)) == [[4]])
    }

    @Test func whoFailsStaysApartForAWhile() {
        var batcher = Batcher(running: 4, apartFor: 100)
        let failing = self.entry(1, 0, 0)
        _ = batcher.add(failing, now: 0)
        #expect(self.alone(batcher.finished([failing], .refused, now: 0)) == [1])
        batcher.finishedAlone(failing, .refused, now: 10)
        #expect(self.alone(batcher.add(self.entry(2, 1, 0), now: 109)) == [2], "the user, anywhere")
        #expect(self.together(batcher.add(self.entry(3, 0, 1), now: 109)) == [[3]], "the conversation is not to blame")
        #expect(self.together(batcher.add(self.entry(4, 2, 0), now: 110)) == [[4]])
    }

    @Test func aHeldConversationStaysApartForAllItsUsers() {
        var batcher = Batcher(running: 4, apartFor: 100)
        let held = self.entry(1, 0, 0)
        _ = batcher.add(held, now: 0)
        _ = batcher.finished([held], .locked, now: 0)
        batcher.finishedAlone(held, .locked, now: 10)
        #expect(self.alone(batcher.add(self.entry(2, 0, 1), now: 20)) == [2])
        #expect(self.together(batcher.add(self.entry(3, 1, 0), now: 20)) == [[3]])
    }

    /// Alone it has the patience to succeed, and would else take others with it again and again.
    @Test func whoIsKnownToFailOthersStaysApartAtOnce() {
        var batcher = Batcher(running: 1, apartFor: 100)
        let first = self.entry(0, 5, 5)
        _ = batcher.add(first, now: 0)
        let entries = [self.entry(1, 0, 0), self.entry(2, 1, 1)]
        for entry in entries { _ = batcher.add(entry, now: 0) }
        #expect(self.together(batcher.finished([first], .answered, now: 0)).map { $0.sorted() } == [[1, 2]])
        for entry in [self.entry(3, 1, 2), self.entry(4, 2, 3)] { #expect(batcher.add(entry, now: 0).isEmpty) }
        let next = batcher.finished(entries, .locked, culprit: 1, now: 10)
        #expect(self.alone(next) == [1, 2, 3], "also what waits for the same conversation")
        #expect(self.together(next) == [[4]])
        batcher.finishedAlone(entries[1], .answered, now: 20)
        batcher.finishedAlone(self.entry(3, 1, 2), .answered, now: 20)
        #expect(self.alone(batcher.add(self.entry(5, 1, 2), now: 30)) == [5])
        #expect(self.alone(batcher.add(self.entry(6, 1, 2), now: 110)) == [6], "while that one runs")
        batcher.finishedAlone(self.entry(5, 1, 2), .answered, now: 120)
        batcher.finishedAlone(self.entry(6, 1, 2), .answered, now: 120)
        _ = batcher.finished([self.entry(4, 2, 3)], .answered, now: 120)
        #expect(self.together(batcher.add(self.entry(7, 1, 2), now: 120)) == [[7]])
    }

    @Test func memoryOfWhoFailedIsBounded() {
        var batcher = Batcher(running: 1, apartFor: 100, capacity: 2)
        for user in 0..<4 {
            let entry = self.entry(user, 0, user)
            _ = batcher.add(entry, now: 0)
            _ = batcher.finished([entry], .refused, now: 0)
            batcher.finishedAlone(entry, .refused, now: 0)
        }
        #expect(self.alone(batcher.add(self.entry(9, 1, 1), now: 50)) == [9])
        #expect(self.together(batcher.add(self.entry(10, 2, 3), now: 50)) == [[10]], "no room: it shares")
    }

    /// Whatever happens: every command ends once, the bounds hold, and shared transactions have nothing in common.
    @Test func everyCallEndsOnce() {
        var fuzz = Fuzz("CommandBatcher")
        for _ in 0..<100 {
            let (running, largest) = (
                Int.random(in: 1...4, using: &fuzz.random), Int.random(in: 1...5, using: &fuzz.random)
            )
            var batcher = Batcher(running: running, largest: largest, apartFor: 20)
            var shared: [[Batcher.Entry]] = []
            var alone: [Batcher.Entry] = []
            var ended: [Int: Int] = [:]
            var now: Int64 = 0
            func start(_ actions: [Batcher.Action]) {
                for action in actions {
                    switch action {
                    case .together(let entries):
                        for other in shared {
                            #expect(Set(other.map(\.conversation)).isDisjoint(with: entries.map(\.conversation)))
                            #expect(Set(other.map(\.user)).isDisjoint(with: entries.map(\.user)))
                        }
                        #expect(entries.count <= largest)
                        shared.append(entries)
                        #expect(shared.count <= running)
                    case .alone(let entry): alone.append(entry)
                    }
                }
            }
            func step() {
                now += Int64.random(in: 0...5, using: &fuzz.random)
                if !alone.isEmpty, shared.isEmpty || Bool.random(using: &fuzz.random) {
                    let entry = alone.remove(at: Int.random(in: alone.indices, using: &fuzz.random))
                    ended[entry.command, default: 0] += 1
                    let outcome =
                        [Batcher.Outcome.answered, .refused, .locked].randomElement(using: &fuzz.random) ?? .answered
                    batcher.finishedAlone(entry, outcome, now: now)
                } else if !shared.isEmpty {
                    let entries = shared.remove(at: Int.random(in: shared.indices, using: &fuzz.random))
                    let outcome =
                        [Batcher.Outcome.answered, .refused, .locked].randomElement(using: &fuzz.random) ?? .answered
                    if outcome == .answered { for entry in entries { ended[entry.command, default: 0] += 1 } }
                    let culprit = outcome == .answered ? nil : entries.indices.randomElement(using: &fuzz.random)
                    start(batcher.finished(entries, outcome, culprit: culprit, now: now))
                }
            }
            for command in 0..<60 {
                let entry = self.entry(
                    command, Int.random(in: 0..<6, using: &fuzz.random), Int.random(in: 0..<6, using: &fuzz.random))
                start(batcher.add(entry, now: now))
                if Bool.random(using: &fuzz.random) { step() }
            }
            while !shared.isEmpty || !alone.isEmpty { step() }
            #expect(batcher.waitingCount == 0)
            #expect(ended.count == 60 && ended.values.allSatisfy { $0 == 1 })
        }
    }
}
