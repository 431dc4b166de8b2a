/// What waits in the pool, and which of it is sent next. No I/O and no clock: the times are passed in.
///
/// - Lanes: prompt work goes before reads, reads before upkeep; but whoever was passed over often enough goes first.
/// - Owners of one lane take turns, and each has only so many transactions in flight.
/// - Reads have a budget of time besides: who has overdrawn it goes on with one at a time, and all who have share half of
///   the lane's connections. The others find one of the other half.
/// - Contention: of the transactions that name the same, only so many wait in a lane or run; the others are held.
struct PoolQueue {
    /// What one owner has in one lane.
    private struct Place {
        var waiting = FIFO<PoolJob>()
        var running = 0
        /// The owner stands in `Lane.turns` or in `Lane.turnsInDebt`.
        var isInTurn = false

        var isUnused: Bool { self.waiting.isEmpty && self.running == 0 && !self.isInTurn }
    }

    private struct Lane {
        var owners: [String?: Place] = [:]
        /// Owners that may have another in flight, in the order of their turns.
        var turns = FIFO<String?>()
        /// The same of owners in debt: one of these and one of the others take turns.
        var turnsInDebt = FIFO<String?>()
        var wasInDebt = false
        /// How often one of another lane was sent while one of this lane waited.
        var passedOver = 0

        mutating func first() -> PoolJob? { Self.first(of: &self.turns, &self.owners) }
        mutating func firstInDebt() -> PoolJob? { Self.first(of: &self.turnsInDebt, &self.owners) }

        private static func first(of turns: inout FIFO<String?>, _ owners: inout [String?: Place]) -> PoolJob? {
            while let owner = turns.first {
                if let job = owners[owner]?.waiting.first { return job }
                // What it had to wait for was given up.
                _ = turns.popFirst()
                owners[owner]?.isInTurn = false
                if owners[owner]?.isUnused == true { owners[owner] = nil }
            }
            return nil
        }
    }

    /// A lane that was passed over so often goes first once.
    private static let patience = 8

    private let mostRunning: Int
    private let mostContenders: Int
    /// Reads in flight whose owners are in debt.
    private let mostInDebt: Int
    /// Of the reads.
    private(set) var budget = PoolBudget()
    private var lanes = Transaction.Lane.allCases.map { _ in Lane() }
    /// How many of each contention wait in a lane or run; and who waits for one of them to end.
    private var contenders: [String: Int] = [:]
    private var held: [String: FIFO<PoolJob>] = [:]
    /// Everything that waits here, the held ones included.
    private(set) var count = 0

    init(mostRunning: Int, mostContenders: Int, mostInDebt: Int) {
        self.mostRunning = mostRunning
        self.mostInDebt = mostInDebt
        self.mostContenders = mostContenders
    }

    var isEmpty: Bool { self.count == 0 }

    // MARK: In

    /// A new transaction. Behind one lock that somebody else holds, those who want it would take all connections: so few
    /// of a contention are let in at a time.
    mutating func append(_ job: PoolJob) {
        guard let key = job.contention else { return self.enter(job) }
        let contenders = self.contenders[key, default: 0]
        guard contenders < self.mostContenders else {
            job.isHeld = true
            self.count += 1
            return self.held[key, default: FIFO()].append(job)
        }
        self.contenders[key] = contenders + 1
        self.enter(job)
    }

    /// One that was let in before and is to be sent again: behind the others of its owner, or before them.
    mutating func enter(_ job: PoolJob, first: Bool = false) {
        self.count += 1
        self.change(job) { place in
            if first { place.waiting.prepend(job) } else { place.waiting.append(job) }
        }
    }

    // MARK: Out

    /// The next to be sent, with the place that `place` finds for it. It counts as running until `left`.
    mutating func next<Found>(
        now: ContinuousClock.Instant, _ place: (PoolJob) -> Found?
    ) -> (job: PoolJob, place: Found)? {
        if self.isEmpty { return nil }
        var best: (lane: Int, isInDebt: Bool, found: Found)?
        for lane in self.lanes.indices {
            guard let (job, isInDebt) = self.first(lane, now: now) else { continue }
            if let chosen = best?.lane, !self.isOverdue(lane) || self.isOverdue(chosen) {
                self.lanes[lane].passedOver += 1
                continue
            }
            guard let found = place(job) else { continue }
            best = (lane, isInDebt, found)
        }
        guard let best else { return nil }
        let turn =
            best.isInDebt ? self.lanes[best.lane].turnsInDebt.popFirst() : self.lanes[best.lane].turns.popFirst()
        guard let owner = turn else { return nil }
        self.lanes[best.lane].wasInDebt = best.isInDebt
        self.lanes[best.lane].passedOver = 0
        self.lanes[best.lane].owners[owner]?.isInTurn = false
        guard let job = self.lanes[best.lane].owners[owner]?.waiting.popFirst() else { return nil }
        self.count -= 1
        job.isRunning = true
        self.change(job) { $0.running += 1 }
        if let owner = Self.payer(of: job) { self.budget.started(owner, now: now) }
        return (job, best.found)
    }

    /// It is in flight no more. Called again it does nothing.
    mutating func left(_ job: PoolJob, now: ContinuousClock.Instant) {
        guard job.isRunning else { return }
        job.isRunning = false
        if let owner = Self.payer(of: job) { self.budget.ended(owner, now: now) }
        self.change(job) { $0.running -= 1 }
    }

    /// Its caller was told: the next of the same contention is let in.
    mutating func told(_ job: PoolJob) {
        guard let key = job.contention, !job.isHeld else { return }
        guard let next = self.held[key]?.popFirst() else {
            let contenders = self.contenders[key, default: 1] - 1
            self.contenders[key] = contenders == 0 ? nil : contenders
            return
        }
        if self.held[key]?.isEmpty == true { self.held[key] = nil }
        next.isHeld = false
        self.count -= 1
        self.enter(next)
    }

    /// Takes out what matches.
    mutating func removeAll(where matches: (PoolJob) -> Bool) -> [PoolJob] {
        if self.isEmpty { return [] }
        var taken: [PoolJob] = []
        for lane in self.lanes.indices {
            for owner in Array(self.lanes[lane].owners.keys) {
                taken += self.lanes[lane].owners[owner]?.waiting.removeAll(where: matches) ?? []
                self.forget(owner, lane)
            }
        }
        for key in Array(self.held.keys) {
            taken += self.held[key]?.removeAll(where: matches) ?? []
            if self.held[key]?.isEmpty == true { self.held[key] = nil }
        }
        self.count -= taken.count
        return taken
    }

    /// Takes out those held for a contention.
    mutating func removeHeld(for contention: String) -> [PoolJob] {
        guard var held = self.held.removeValue(forKey: contention) else { return [] }
        self.count -= held.count
        return held.removeAll { _ in true }
    }

    // MARK: -

    private func isOverdue(_ lane: Int) -> Bool { self.lanes[lane].passedOver >= Self.patience }

    /// Whose time it takes; nil if nobody's.
    private static func payer(of job: PoolJob) -> String? { job.lane == .reading ? job.owner : nil }

    /// The transaction whose turn it is in a lane, and whether the turn is one of those in debt.
    private mutating func first(_ lane: Int, now: ContinuousClock.Instant) -> (job: PoolJob, isInDebt: Bool)? {
        var first = self.lanes[lane].first()
        while let owner = first.flatMap(Self.payer), self.budget.isInDebt(owner, now: now) {
            _ = self.lanes[lane].turns.popFirst()
            if self.lanes[lane].owners[owner]?.running == 0 {
                self.lanes[lane].turnsInDebt.append(owner)
            } else {
                // When the one in flight has left, the owner has a turn again.
                self.lanes[lane].owners[owner]?.isInTurn = false
            }
            first = self.lanes[lane].first()
        }
        if first == nil || !self.lanes[lane].wasInDebt, let job = self.lanes[lane].firstInDebt() {
            job.isInDebt = Self.payer(of: job).map { self.budget.isInDebt($0, now: now) } ?? false
            if !job.isInDebt || self.budget.runningInDebt(now: now) < self.mostInDebt { return (job, true) }
        }
        first?.isInDebt = false
        return first.map { ($0, false) }
    }

    private mutating func change(_ job: PoolJob, _ body: (inout Place) -> Void) {
        let (lane, owner) = (job.lane.rawValue, job.owner)
        let isTurn = { [mostRunning] (place: inout Place) in
            body(&place)
            // Without an owner it is the program's own, which has no share.
            let hasRoom = owner == nil || place.running < mostRunning
            guard hasRoom, !place.isInTurn, !place.waiting.isEmpty else { return false }
            place.isInTurn = true
            return true
        }(&self.lanes[lane].owners[owner, default: Place()])
        if isTurn { self.lanes[lane].turns.append(owner) } else { self.forget(owner, lane) }
    }

    private mutating func forget(_ owner: String?, _ lane: Int) {
        if self.lanes[lane].owners[owner]?.isUnused == true { self.lanes[lane].owners[owner] = nil }
    }
}
