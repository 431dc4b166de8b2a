import Testing

@testable import PostgresClient

@Suite struct PoolQueueTests {
    /// When the tests begin.
    private let start = ContinuousClock.now

    private func job(
        _ name: String, owner: String? = nil, lane: Transaction.Lane = .prompt, contention: String? = nil
    ) -> PoolJob {
        let transaction = Transaction([Statement(name)], contention: contention, lane: lane, owner: owner)
        return PoolJob(
            Submission(
                transaction: transaction, submittedAt: .now, share: .init(owner: owner, bytes: 0), cancellation: nil,
                completion: { _ in }))
    }

    private func name(_ job: PoolJob) -> String { job.submission?.transaction.statements[0].sql ?? "" }

    /// Sends up to `count`; they stay in flight.
    private func send(_ queue: inout PoolQueue, _ count: Int = 1000, after time: Duration = .zero) -> [PoolJob] {
        var sent: [PoolJob] = []
        while sent.count < count, let (job, _) = queue.next(now: self.start + time, { _ in true }) { sent.append(job) }
        return sent
    }

    @Test func ownersTakeTurns() {
        var queue = PoolQueue(mostRunning: 100, mostContenders: 100, mostInDebt: 100)
        for number in 1...3 { queue.append(self.job("a\(number)", owner: "a")) }
        for number in 1...2 { queue.append(self.job("b\(number)", owner: "b")) }
        queue.append(self.job("own"))
        #expect(self.send(&queue).map(self.name) == ["a1", "b1", "own", "a2", "b2", "a3"])
        #expect(queue.isEmpty)
    }

    @Test func anOwnerHasItsShareAndNoMore() {
        var queue = PoolQueue(mostRunning: 2, mostContenders: 100, mostInDebt: 100)
        for number in 1...4 { queue.append(self.job("a\(number)", owner: "a")) }
        let first = self.send(&queue)
        #expect(first.map(self.name) == ["a1", "a2"])
        #expect(queue.count == 2)
        // Another lane is another matter.
        queue.append(self.job("a5", owner: "a", lane: .reading))
        #expect(self.send(&queue).map(self.name) == ["a5"])
        queue.left(first[1], now: self.start)
        queue.left(first[1], now: self.start)
        #expect(self.send(&queue).map(self.name) == ["a3"])
        queue.left(first[0], now: self.start)
        #expect(self.send(&queue).map(self.name) == ["a4"])
        for number in 1...5 { queue.append(self.job("own\(number)")) }
        #expect(self.send(&queue).count == 5)
    }

    @Test func promptWorkGoesFirstAndNobodyStarves() {
        var queue = PoolQueue(mostRunning: 100, mostContenders: 100, mostInDebt: 100)
        for number in 0..<4 { queue.append(self.job("u\(number)", lane: .upkeep)) }
        for number in 0..<4 { queue.append(self.job("r\(number)", lane: .reading)) }
        for number in 0..<30 { queue.append(self.job("p\(number)")) }
        let sent = self.send(&queue).map { self.name($0).prefix(1) }.joined()
        #expect(sent.hasPrefix("pppppppp"))
        #expect(sent.prefix(11).contains("r") && sent.prefix(12).contains("u"))
        #expect(sent.count == 38)
    }

    @Test func aLaneWithoutPlaceHoldsUpNoOther() {
        var queue = PoolQueue(mostRunning: 100, mostContenders: 100, mostInDebt: 100)
        for number in 0..<20 { queue.append(self.job("r\(number)", lane: .reading)) }
        queue.append(self.job("p"))
        var sent: [String] = []
        while let (job, _) = queue.next(now: self.start, { $0.lane == .prompt ? true : nil }) {
            sent.append(self.name(job))
        }
        #expect(sent == ["p"])
        #expect(queue.count == 20)
    }

    @Test func fewOfAContentionAreLetIn() {
        var queue = PoolQueue(mostRunning: 100, mostContenders: 2, mostInDebt: 2)
        for number in 1...5 { queue.append(self.job("c\(number)", contention: "c")) }
        queue.append(self.job("other"))
        let sent = self.send(&queue)
        #expect(sent.map(self.name) == ["c1", "c2", "other"])
        queue.told(sent[0])
        #expect(self.send(&queue).map(self.name) == ["c3"])
        #expect(queue.removeHeld(for: "c").map(self.name) == ["c4", "c5"])
        #expect(queue.isEmpty)
    }

    @Test func whatIsTakenOutIsForgotten() {
        var queue = PoolQueue(mostRunning: 1, mostContenders: 1, mostInDebt: 1)
        for number in 1...3 { queue.append(self.job("a\(number)", owner: "a")) }
        queue.append(self.job("c1", contention: "c"))
        queue.append(self.job("c2", contention: "c"))
        #expect(queue.removeAll { self.name($0) != "a3" }.count == 4)
        #expect(queue.count == 1)
        #expect(self.send(&queue).map(self.name) == ["a3"])
    }

    @Test func sentAgainItIsTheFirstOfItsOwner() {
        var queue = PoolQueue(mostRunning: 1, mostContenders: 1, mostInDebt: 1)
        for number in 1...2 { queue.append(self.job("a\(number)", owner: "a")) }
        let first = self.send(&queue)[0]
        queue.left(first, now: self.start)
        queue.enter(first, first: true)
        #expect(self.send(&queue).map(self.name) == ["a1"])
    }

    /// Slow reads of `owners`, the first two of each in flight.
    private func slowReads(_ owners: [String], each count: Int = 5) -> (queue: PoolQueue, running: [PoolJob]) {
        var queue = PoolQueue(mostRunning: 2, mostContenders: 100, mostInDebt: 3)
        for owner in owners {
            for number in 1...count { queue.append(self.job("\(owner)\(number)", owner: owner, lane: .reading)) }
        }
        let running = self.send(&queue)
        #expect(running.count == 2 * owners.count)
        return (queue, running)
    }

    @Test func whoIsInDebtGoesOnWithOneRead() {
        var (queue, running) = self.slowReads(["a"])
        // Not yet in debt: 10 seconds, less 2 and more 0.25 in each second.
        queue.left(running[0], now: self.start + .seconds(5))
        #expect(self.send(&queue, after: .seconds(5)).map(self.name) == ["a3"])
        // Its second one is still in flight.
        queue.left(running[1], now: self.start + .seconds(9))
        #expect(self.send(&queue, after: .seconds(9)).isEmpty)
        // Sends are another matter.
        queue.append(self.job("send", owner: "a"))
        #expect(self.send(&queue, after: .seconds(9)).map(self.name) == ["send"])
        #expect(queue.count == 2)
    }

    @Test func manyInDebtLeaveHalfOfTheLaneToTheOthers() {
        let owners = ["a", "b", "c", "d"]
        var (queue, running) = self.slowReads(owners)
        // All end at once, and all are in debt: three go on.
        for job in running { queue.left(job, now: self.start + .seconds(6)) }
        running = self.send(&queue, after: .seconds(6))
        #expect(running.map(self.name) == ["a3", "b3", "c3"])
        #expect(running.allSatisfy { $0.isAlone })
        // Somebody else has two at once, also when many wait before.
        for number in 1...3 { queue.append(self.job("e\(number)", owner: "e", lane: .reading)) }
        let quick = self.send(&queue, after: .seconds(7))
        #expect(quick.map(self.name) == ["e1", "e2"])
        queue.left(quick[0], now: self.start + .seconds(7))
        let third = self.send(&queue, after: .seconds(7))
        #expect(third.map(self.name) == ["e3"])
        for job in [quick[1], third[0]] { queue.left(job, now: self.start + .seconds(7)) }
        // Nobody starves: they go on in turns.
        var time = 8
        var order: [String] = []
        while let job = running.first {
            running.removeFirst()
            queue.left(job, now: self.start + .seconds(time))
            running += self.send(&queue, after: .seconds(time))
            order += running.last.map { [self.name($0)] } ?? []
            #expect(running.count <= 3)
            time += 1
        }
        #expect(order.prefix(8) == ["d3", "a4", "b4", "c4", "d4", "a5", "b5", "c5"])
        #expect(queue.isEmpty)
    }

    /// On the only connection of a lane, those in debt and the others take turns.
    @Test func thoseInDebtHoldUpNobodyForGood() {
        var queue = PoolQueue(mostRunning: 1, mostContenders: 1, mostInDebt: 1)
        func send(after time: Int) -> String {
            let sent = self.send(&queue, 1, after: .seconds(time))
            for job in sent { queue.left(job, now: self.start + .seconds(time + 20)) }
            return sent.first.map(self.name) ?? ""
        }
        for number in 1...3 {
            for owner in ["a", "b"] { queue.append(self.job("\(owner)\(number)", owner: owner, lane: .reading)) }
        }
        #expect([send(after: 0), send(after: 20)] == ["a1", "b1"])
        for owner in ["c", "d", "e"] { queue.append(self.job(owner, owner: owner, lane: .reading)) }
        let order = (2...8).map { send(after: 20 * $0) }
        #expect(order == ["a2", "c", "b2", "d", "e", "a3", "b3"])
        #expect(queue.isEmpty)
    }

    @Test func whoRestsIsOutOfDebt() {
        var (queue, running) = self.slowReads(["a"], each: 4)
        for job in running { queue.left(job, now: self.start + .seconds(60)) }
        // No debt is deeper than what a minute brings back.
        #expect(self.send(&queue, after: .seconds(119)).map(self.name) == ["a3"])
        #expect(queue.count == 1)
        (queue, running) = self.slowReads(["a"], each: 4)
        for job in running { queue.left(job, now: self.start + .seconds(60)) }
        #expect(self.send(&queue, after: .seconds(121)).map(self.name) == ["a3", "a4"])
    }

    @Test func aDebtorThatStoodBackAndGaveUpIsForgotten() {
        var (queue, running) = self.slowReads(["a", "b", "c", "d"])
        for job in running { queue.left(job, now: self.start + .seconds(6)) }
        running = self.send(&queue, after: .seconds(6))
        #expect(queue.removeAll { $0.owner == "d" }.count == 3)
        for job in running { queue.left(job, now: self.start + .seconds(7)) }
        #expect(self.send(&queue, after: .seconds(7)).map(self.name) == ["a4", "b4", "c4"])
        queue.append(self.job("d6", owner: "d", lane: .reading))
        #expect(self.send(&queue, after: .seconds(100)).isEmpty == false)
    }

    @Test func whoHasAFullBudgetIsForgotten() {
        var queue = PoolQueue(mostRunning: 2, mostContenders: 100, mostInDebt: 3)
        for number in 0..<10_000 {
            let time = Duration.milliseconds(10 * number)
            queue.append(self.job("read", owner: "\(number)", lane: .reading))
            for job in self.send(&queue, after: time) { queue.left(job, now: self.start + time + .milliseconds(20)) }
        }
        #expect(queue.budget.count <= 128)
    }
}

@Suite struct PoolAdmissionTests {
    @Test func countsAndBytesAreBounded() {
        var admission = PoolAdmission(
            PoolLimits(queued: 5, queuedBytes: 100, queuedPerOwner: 2, queuedBytesPerOwner: 50))
        func share(_ owner: String?, _ bytes: Int) -> PoolAdmission.Share { .init(owner: owner, bytes: bytes) }
        #expect(admission.admit(share("a", 10)) == nil)
        #expect(admission.admit(share("a", 41))?.code == .ownerQueueFull)
        #expect(admission.admit(share("a", 40)) == nil)
        #expect(admission.admit(share("a", 0))?.code == .ownerQueueFull)
        #expect(admission.admit(share("b", 51))?.code == .queueFull)
        admission.release(share("a", 10))
        // Alone it may be larger than the owner's bound, never than what is left of all.
        #expect(admission.admit(share("b", 55)) == nil)
        for _ in 0..<3 { #expect(admission.admit(share(nil, 0)) == nil) }
        #expect(admission.admit(share(nil, 0))?.code == .queueFull)
    }

    @Test func whatStandsAloneIsLetIn() {
        var admission = PoolAdmission(PoolLimits(queued: 5, queuedBytes: 100))
        #expect(admission.admit(.init(owner: "a", bytes: 1000)) == nil)
        #expect(admission.admit(.init(owner: "b", bytes: 1))?.code == .queueFull)
    }
}
