import Testing

@testable import PostgresClient

@Suite struct PoolQueueTests {
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
    private func send(_ queue: inout PoolQueue, _ count: Int = 1000) -> [PoolJob] {
        var sent: [PoolJob] = []
        while sent.count < count, let (job, _) = queue.next({ _ in true }) { sent.append(job) }
        return sent
    }

    @Test func ownersTakeTurns() {
        var queue = PoolQueue(mostRunning: 100, mostContenders: 100)
        for number in 1...3 { queue.append(self.job("a\(number)", owner: "a")) }
        for number in 1...2 { queue.append(self.job("b\(number)", owner: "b")) }
        queue.append(self.job("own"))
        #expect(self.send(&queue).map(self.name) == ["a1", "b1", "own", "a2", "b2", "a3"])
        #expect(queue.isEmpty)
    }

    @Test func anOwnerHasItsShareAndNoMore() {
        var queue = PoolQueue(mostRunning: 2, mostContenders: 100)
        for number in 1...4 { queue.append(self.job("a\(number)", owner: "a")) }
        let first = self.send(&queue)
        #expect(first.map(self.name) == ["a1", "a2"])
        #expect(queue.count == 2)
        // Another lane is another matter.
        queue.append(self.job("a5", owner: "a", lane: .reading))
        #expect(self.send(&queue).map(self.name) == ["a5"])
        queue.left(first[1])
        queue.left(first[1])
        #expect(self.send(&queue).map(self.name) == ["a3"])
        queue.left(first[0])
        #expect(self.send(&queue).map(self.name) == ["a4"])
        for number in 1...5 { queue.append(self.job("own\(number)")) }
        #expect(self.send(&queue).count == 5)
    }

    @Test func promptWorkGoesFirstAndNobodyStarves() {
        var queue = PoolQueue(mostRunning: 100, mostContenders: 100)
        for number in 0..<4 { queue.append(self.job("u\(number)", lane: .upkeep)) }
        for number in 0..<4 { queue.append(self.job("r\(number)", lane: .reading)) }
        for number in 0..<30 { queue.append(self.job("p\(number)")) }
        let sent = self.send(&queue).map { self.name($0).prefix(1) }.joined()
        #expect(sent.hasPrefix("pppppppp"))
        #expect(sent.prefix(11).contains("r") && sent.prefix(12).contains("u"))
        #expect(sent.count == 38)
    }

    @Test func aLaneWithoutPlaceHoldsUpNoOther() {
        var queue = PoolQueue(mostRunning: 100, mostContenders: 100)
        for number in 0..<20 { queue.append(self.job("r\(number)", lane: .reading)) }
        queue.append(self.job("p"))
        var sent: [String] = []
        while let (job, _) = queue.next({ $0.lane == .prompt ? true : nil }) { sent.append(self.name(job)) }
        #expect(sent == ["p"])
        #expect(queue.count == 20)
    }

    @Test func fewOfAContentionAreLetIn() {
        var queue = PoolQueue(mostRunning: 100, mostContenders: 2)
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
        var queue = PoolQueue(mostRunning: 1, mostContenders: 1)
        for number in 1...3 { queue.append(self.job("a\(number)", owner: "a")) }
        queue.append(self.job("c1", contention: "c"))
        queue.append(self.job("c2", contention: "c"))
        #expect(queue.removeAll { self.name($0) != "a3" }.count == 4)
        #expect(queue.count == 1)
        #expect(self.send(&queue).map(self.name) == ["a3"])
    }

    @Test func sentAgainItIsTheFirstOfItsOwner() {
        var queue = PoolQueue(mostRunning: 1, mostContenders: 1)
        for number in 1...2 { queue.append(self.job("a\(number)", owner: "a")) }
        let first = self.send(&queue)[0]
        queue.left(first)
        queue.enter(first, first: true)
        #expect(self.send(&queue).map(self.name) == ["a1"])
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
