internal import Support

/// Sending and settling transactions.
extension PoolLoop {
    // MARK: Sending

    func dispatch(now: ContinuousClock.Instant) {
        let ready = self.delayed.filter { ($0.notBefore ?? now) <= now }
        if !ready.isEmpty {
            self.delayed.removeAll { ($0.notBefore ?? now) <= now }
            for job in ready { self.queue.enter(job) }
        }
        while let (job, link) = self.queue.next(now: now, { self.place(for: $0, now: now) }) {
            if link.inFlight.isEmpty, link.hasUnreadInput {
                self.receive(link)
                if link.isLost || link.isRetiring {
                    self.sendAgain(job, now: now)
                    continue
                }
            }
            self.release(job)
            link.send(job, worthPreparing: { self.popularity.isPopular($0) }, now: now)
            if link.isLost { self.replace(link) }
        }
    }

    /// An idle connection, if the lane may have another, else the least loaded one of the lane that takes another
    /// transaction.
    private func place(for job: PoolJob, now: ContinuousClock.Instant) -> PoolLink? {
        var idle: PoolLink?
        var best: PoolLink?
        var used = 0
        for case .up(let link) in self.slots {
            if link.lane == job.lane { used += 1 }
            let accepts = link.accepts(
                job, depth: self.configuration.pipelineDepth, window: self.configuration.pipelineWindow, now: now)
            guard accepts else { continue }
            if link.inFlight.isEmpty {
                idle = idle ?? link
            } else if best.map({ link.inFlight.count < $0.inFlight.count }) ?? true {
                best = link
            }
        }
        if let idle, used < self.laneCaps[job.lane.rawValue] { return idle }
        return best
    }

    // MARK: Receiving

    func receive(_ link: PoolLink) {
        let now = ContinuousClock.now
        link.receive(now: now) { job in self.answered(job, on: link, now: now) }
        if link.isSwollen, link.inFlight.isEmpty, self.queue.isEmpty { link.isRetiring = true }
        if link.isLost || (link.isRetiring && link.inFlight.isEmpty) { self.replace(link) }
    }

    private func answered(_ job: PoolJob, on link: PoolLink, now: ContinuousClock.Instant) {
        self.backoff.reset()
        self.queue.left(job, now: now)
        guard let submission = job.submission else {
            // Our own: if even that failed, the session is of no use.
            if job.error != nil { link.isRetiring = true }
            return
        }
        if link.inFlight.isEmpty, link.isInTransaction {
            if job.isExplicit, job.error != nil {
                link.sendRollback(lane: job.lane, now: now)
            } else {
                link.isRetiring = true
                return self.fail(
                    job,
                    PostgresError(
                        .protocolViolation, message: "a statement opened a transaction", outcomeUnknown: true))
            }
        }
        if job.isComplete { return }
        guard let error = job.error else { return self.succeeded(job) }
        switch error.sqlState {
        case "40001", "40P01":
            guard job.conflictRetries < submission.transaction.retriesOnConflict, now < job.givesUpAt else { break }
            job.conflictRetries += 1
            self.statistics.conflictRetries += 1
            job.notBefore = now + Backoff.delay(from: .milliseconds(5), attempt: job.conflictRetries)
            return self.delayed.append(job)
        case "57014" where job.timedOut:
            return self.fail(job, PostgresError(.timeout, message: "cancelled: no answer in time"))
        case "57014" where job.isCancelled && job.wasHitByCancel:
            return self.fail(job, PostgresError(.cancelled, message: "taken back by its caller"))
        case "57014" where job.wasHitByCancel && job.linkRetries < 3:
            // The cancel request was meant for the transaction before it, and came late.
            return self.sendAgain(job, now: now)
        case "42P05":
            // The name stands for the text, so somebody else has prepared the text: the session is not ours alone.
            guard self.configuration.preparedStatements, job.linkRetries == 0 else { break }
            self.stopPreparing()
            link.isRetiring = true
            return self.sendAgain(job, now: now)
        case "26000", "0A000":
            // The prepared statement is gone (DISCARD ALL, a pooler), or its table changed under it.
            guard self.configuration.preparedStatements, job.linkRetries == 0 else { break }
            link.isRetiring = true
            return self.sendAgain(job, now: now)
        case "55P03":
            // Somebody holds the lock for long: those who wait for the same would learn it one after the other.
            guard let key = submission.transaction.contention else { break }
            let table = submission.transaction.contentionTable
            guard table == nil || table == error.lockedTable else { break }
            for other in self.queue.removeHeld(for: key) { self.fail(other, error) }
        default: break
        }
        self.fail(job, error)
    }

    /// Without an error; but a commit whose wait for a standby was cut short, by us or by somebody else, is none.
    private func succeeded(_ job: PoolJob) {
        if !job.isReadOnly { self.committed() }
        guard job.isReadOnly || !(job.isUnconfirmed || job.timedOut) else {
            return self.fail(
                job,
                PostgresError(
                    .unconfirmed, message: "the commit was not confirmed by the synchronous standby in time",
                    outcomeUnknown: true))
        }
        self.statistics.transactions += 1
        self.complete(job, .success(job.results))
    }

    /// Again, for a reason of the link and not of its own.
    func sendAgain(_ job: PoolJob, now: ContinuousClock.Instant) {
        job.linkRetries += 1
        self.queue.left(job, now: now)
        self.queue.enter(job, first: true)
    }

    // MARK: Telling

    /// Tells the caller, and lets the next of the same contention in.
    private func complete(_ job: PoolJob, _ result: Result<[ResultSet], PostgresError>) {
        guard !job.isComplete else { return }
        self.release(job)
        job.complete(result)
        self.queue.told(job)
    }

    func fail(_ job: PoolJob, _ error: PostgresError) {
        if let submission = job.submission, !job.isComplete {
            self.statistics.failures += 1
            if error.code == .server { self.refused(submission.transaction, error) }
        }
        self.complete(job, .failure(error))
    }

    func noAnswer(_ job: PoolJob) -> PostgresError {
        PostgresError(.timeout, message: "no answer in time", outcomeUnknown: !job.isReadOnly)
    }
}
