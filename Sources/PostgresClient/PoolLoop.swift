internal import CPostgres
internal import Glibc
internal import Support

/// The pool's thread: made there, run there, never seen elsewhere.
final class PoolLoop {
    private enum Slot {
        case down(retryAt: ContinuousClock.Instant)
        case connecting
        case up(PoolLink)
    }

    /// How long a cancelled transaction may take to say so before its connection is closed.
    private static let cancelGrace = Duration.seconds(1)
    private static let shutdownGrace = Duration.seconds(5)
    /// Connections lost within this time of the first have one line in the log.
    private static let burst = Duration.seconds(1)
    /// Granularity of timeouts while transactions are waiting.
    private static let tick = Duration.milliseconds(20)

    private let configuration: PostgresConfiguration
    private let shared: PoolShared
    private let log: Log

    private var slots: [Slot]
    private var queue = FIFO<PoolJob>()
    /// How many of each contention wait in `queue` or run; and who waits for one of them to end.
    private var contenders: [String: Int] = [:]
    private var held: [String: FIFO<PoolJob>] = [:]
    private var heldCount: Int { self.held.values.reduce(0) { $0 + $1.count } }
    private let mostContenders: Int
    /// Waiting to be run again after a lost race.
    private var delayed: [PoolJob] = []
    private var statistics = PoolStatistics()
    private var popularity = StatementPopularity(capacity: 1024)
    private var backoff: Backoff
    private var connectError: PostgresError?
    /// When the last connection went, or the pool was made; nil while one is up.
    private var downSince: ContinuousClock.Instant?
    private var lastLoss: ContinuousClock.Instant?
    private var nextTick = ContinuousClock.now
    private var closeBy: ContinuousClock.Instant?

    init(_ configuration: PostgresConfiguration, size: Int, shared: PoolShared, log: Log) {
        self.configuration = configuration
        self.shared = shared
        self.log = log
        self.slots = Array(repeating: .down(retryAt: .now), count: size)
        self.mostContenders = max(1, size / 4)
        self.backoff = Backoff(configuration.reconnectDelay)
        self.downSince = .now
    }

    func run() {
        while true {
            let now = ContinuousClock.now
            let inbox = self.shared.take()
            for arrival in inbox.arrivals { self.arrive(arrival, now: now) }
            for submission in inbox.submissions { self.enqueue(PoolJob(submission)) }
            if inbox.isClosing, self.closeBy == nil { self.closeBy = now + Self.shutdownGrace }
            self.checkClocks(now: now)
            self.startConnecting(now: now)
            self.dispatch(now: now)
            if let closeBy = self.closeBy, self.isIdle || closeBy <= now { return self.finish() }
            self.publishAndWait(closing: inbox.isClosing)
        }
    }

    private var isIdle: Bool {
        self.queue.isEmpty && self.delayed.isEmpty && self.held.isEmpty && self.links.allSatisfy(\.inFlight.isEmpty)
    }

    private var links: [PoolLink] {
        self.slots.compactMap { if case .up(let link) = $0 { link } else { nil } }
    }

    // MARK: Waiting

    private func publishAndWait(closing: Bool) {
        let links = self.links
        self.statistics.connected = links.count
        self.statistics.inFlight = links.reduce(0) { $0 + $1.inFlight.count }
        self.statistics.queued = self.queue.count + self.delayed.count + self.heldCount
        let wait = self.shared.park(self.statistics, closing: closing)
        var descriptors = [pollfd(fd: self.shared.wake.descriptor, events: Int16(POLLIN), revents: 0)]
        for link in links {
            let events = Int16(POLLIN) | (link.wantsWrite ? Int16(POLLOUT) : 0)
            descriptors.append(pollfd(fd: link.descriptor, events: events, revents: 0))
        }
        let timeout = wait ? self.timeout(now: .now) : 0
        // It fails only for a signal, and then nothing is marked ready.
        if poll(&descriptors, nfds_t(descriptors.count), timeout) < 0 { return }
        if descriptors[0].revents != 0 { self.shared.wake.drain() }
        for (link, descriptor) in zip(links, descriptors.dropFirst()) where descriptor.revents != 0 {
            self.receive(link)
        }
    }

    private func timeout(now: ContinuousClock.Instant) -> Int32 {
        var earliest: ContinuousClock.Instant?
        func consider(_ instant: ContinuousClock.Instant) { earliest = min(earliest ?? instant, instant) }
        for slot in self.slots { if case .down(let retryAt) = slot { consider(retryAt) } }
        for job in self.delayed { if let notBefore = job.notBefore { consider(notBefore) } }
        if !self.isIdle { consider(self.nextTick) }
        if let closeBy { consider(closeBy) }
        return earliest.map { ($0 - now).pollTimeout } ?? -1
    }

    // MARK: Contention

    /// Lets a transaction into the queue, unless enough of its contention are there: behind one lock that somebody else
    /// holds they would take all connections, and everybody would wait. What remains: transactions that name no
    /// contention, or different ones that are all locked, can still take them all, for as long as `lock_timeout`.
    private func enqueue(_ job: PoolJob) {
        guard let key = job.submission?.transaction.contention else { return self.queue.append(job) }
        let count = self.contenders[key, default: 0]
        guard count < self.mostContenders else {
            job.isHeld = true
            return self.held[key, default: FIFO()].append(job)
        }
        self.contenders[key] = count + 1
        self.queue.append(job)
    }

    /// Tells the caller, and lets the next of the same contention in.
    private func complete(_ job: PoolJob, _ result: Result<[ResultSet], PostgresError>) {
        guard !job.isComplete else { return }
        job.complete(result)
        guard let key = job.submission?.transaction.contention, !job.isHeld else { return }
        guard let next = self.held[key]?.popFirst() else {
            let count = self.contenders[key, default: 1] - 1
            self.contenders[key] = count == 0 ? nil : count
            return
        }
        if self.held[key]?.isEmpty == true { self.held[key] = nil }
        next.isHeld = false
        self.queue.append(next)
    }

    /// Takes out the held transactions that match.
    private func removeHeld(where matches: (PoolJob) -> Bool) -> [PoolJob] {
        var taken: [PoolJob] = []
        for key in Array(self.held.keys) {
            taken += self.held[key]?.removeAll(where: matches) ?? []
            if self.held[key]?.isEmpty == true { self.held[key] = nil }
        }
        return taken
    }

    // MARK: Sending

    private func dispatch(now: ContinuousClock.Instant) {
        let ready = self.delayed.filter { ($0.notBefore ?? now) <= now }
        if !ready.isEmpty {
            self.delayed.removeAll { ($0.notBefore ?? now) <= now }
            for job in ready { self.queue.append(job) }
        }
        while let job = self.queue.first, let link = self.freeLink(for: job, now: now) {
            if link.inFlight.isEmpty, link.hasUnreadInput {
                self.receive(link)
                if link.isLost || link.isRetiring { continue }
            }
            _ = self.queue.popFirst()
            link.send(job, worthPreparing: { self.popularity.isPopular($0) }, now: now)
            if link.isLost { self.replace(link) }
        }
    }

    /// An idle connection, else the least loaded one that takes another transaction.
    private func freeLink(for job: PoolJob, now: ContinuousClock.Instant) -> PoolLink? {
        var best: PoolLink?
        for case .up(let link) in self.slots {
            if let best, best.inFlight.count <= link.inFlight.count { continue }
            let accepts = link.accepts(
                job, depth: self.configuration.pipelineDepth, window: self.configuration.pipelineWindow, now: now)
            guard accepts else { continue }
            if link.inFlight.isEmpty { return link }
            best = link
        }
        return best
    }

    // MARK: Receiving

    private func receive(_ link: PoolLink) {
        let now = ContinuousClock.now
        link.receive(now: now) { job in self.answered(job, on: link, now: now) }
        if link.isLost || (link.isRetiring && link.inFlight.isEmpty) { self.replace(link) }
    }

    private func answered(_ job: PoolJob, on link: PoolLink, now: ContinuousClock.Instant) {
        self.backoff.reset()
        guard let submission = job.submission else {
            // Our rollback: if even that failed, the session is of no use.
            if job.error != nil { link.isRetiring = true }
            return
        }
        if link.inFlight.isEmpty, link.isInTransaction {
            if job.isExplicit, job.error != nil {
                link.sendRollback(PoolJob(rollbackBefore: now + .seconds(5)), now: now)
            } else {
                link.isRetiring = true
                return self.fail(
                    job,
                    PostgresError(
                        .protocolViolation, message: "a statement opened a transaction", outcomeUnknown: true))
            }
        }
        if job.isComplete { return }
        guard let error = job.error else {
            self.statistics.transactions += 1
            return self.complete(job, .success(job.results))
        }
        switch error.sqlState {
        case "40001", "40P01":
            guard job.conflictRetries < submission.transaction.retriesOnConflict, now < job.deadline else { break }
            job.conflictRetries += 1
            self.statistics.conflictRetries += 1
            job.notBefore = now + Backoff.delay(from: .milliseconds(5), attempt: job.conflictRetries)
            return self.delayed.append(job)
        case "57014" where job.timedOut:
            return self.fail(job, PostgresError(.timeout, message: "cancelled: no answer in time"))
        case "57014" where job.wasHitByCancel && job.linkRetries < 3:
            // The cancel request was meant for the transaction before it, and came late.
            job.linkRetries += 1
            return self.queue.prepend(job)
        case "26000", "0A000":
            // The prepared statement is gone (DISCARD ALL, a pooler), or its table changed under it.
            guard self.configuration.preparedStatements, job.linkRetries == 0 else { break }
            job.linkRetries += 1
            link.isRetiring = true
            return self.queue.prepend(job)
        case "55P03":
            // Somebody holds the lock for long: those who wait for the same would learn it one after the other.
            guard let key = submission.transaction.contention, var others = self.held.removeValue(forKey: key) else {
                break
            }
            while let other = others.popFirst() { self.fail(other, error) }
        default: break
        }
        self.fail(job, error)
    }

    private func fail(_ job: PoolJob, _ error: PostgresError) {
        self.statistics.failures += 1
        self.complete(job, .failure(error))
    }

    // MARK: Clocks

    private func checkClocks(now: ContinuousClock.Instant) {
        guard now >= self.nextTick else { return }
        self.nextTick = now + Self.tick
        for job in self.queue.removeAll(where: { self.isTooLate($0, now: now) }) { self.failUnsent(job, now: now) }
        for job in self.removeHeld(where: { self.isTooLate($0, now: now) }) { self.failUnsent(job, now: now) }
        let late = self.delayed.filter { self.isTooLate($0, now: now) }
        if !late.isEmpty {
            self.delayed.removeAll { self.isTooLate($0, now: now) }
            for job in late { self.failUnsent(job, now: now) }
        }
        for link in self.links {
            if let cancelledAt = link.cancelledAt {
                if cancelledAt + Self.cancelGrace <= now {
                    link.lose()
                    self.replace(link)
                    continue
                }
            } else if let head = link.inFlight.first, head.deadline <= now {
                head.timedOut = true
                for job in link.inFlight { job.wasHitByCancel = true }
                link.requestCancel(now: now)
            }
            // Behind another one it cannot be cancelled; its caller need not wait for that one too.
            for job in link.inFlight.dropFirst() where job.deadline + Self.cancelGrace <= now && !job.isComplete {
                self.fail(job, self.noAnswer(job))
            }
        }
    }

    private func isTooLate(_ job: PoolJob, now: ContinuousClock.Instant) -> Bool {
        if job.deadline <= now { return true }
        guard let downSince, let submission = job.submission else { return false }
        return max(downSince, submission.submittedAt) + self.configuration.connectionWait <= now
    }

    private func failUnsent(_ job: PoolJob, now: ContinuousClock.Instant) {
        guard self.downSince != nil else {
            return self.fail(job, PostgresError(.timeout, message: "no connection became free in time"))
        }
        self.fail(
            job, PostgresError(.connectFailed, message: self.connectError?.message ?? "no connection to the database"))
    }

    // MARK: Connections

    private func startConnecting(now: ContinuousClock.Instant) {
        guard self.closeBy == nil || !self.isIdle else { return }
        for (index, slot) in self.slots.enumerated() {
            guard case .down(let retryAt) = slot, retryAt <= now else { continue }
            let configuration = self.configuration
            let shared = self.shared
            let started = PosixThread.spawn(name: "pg-connect") {
                Self.connect(slot: index, configuration, shared)
            }
            self.slots[index] = started ? .connecting : .down(retryAt: now + configuration.reconnectDelay.upperBound)
        }
    }

    /// Thread: its own.
    private static func connect(slot: Int, _ configuration: PostgresConfiguration, _ shared: PoolShared) {
        do throws(PostgresError) {
            let handle = try Libpq.connect(configuration, interrupt: shared.abandon)
            if !shared.arrive(.connected(slot: slot, handle)) { PQfinish(handle.pointer) }
        } catch {
            // Refused only by a pool that has ended: then nobody is left to be told.
            _ = shared.arrive(.connectFailed(slot: slot, error))
        }
    }

    private func arrive(_ arrival: PoolShared.Arrival, now: ContinuousClock.Instant) {
        switch arrival {
        case .connected(let slot, let handle):
            let cacheSize = self.configuration.preparedStatements ? self.configuration.statementCacheSize : 0
            guard let link = PoolLink(handle, cacheSize: cacheSize) else {
                self.slots[slot] = .down(retryAt: now + self.backoff.next())
                return
            }
            self.slots[slot] = .up(link)
            self.statistics.connects += 1
            if self.downSince != nil {
                self.log.info("postgres pool connected")
                for (index, other) in self.slots.enumerated() {
                    if case .down = other { self.slots[index] = .down(retryAt: now) }
                }
            }
            self.downSince = nil
            self.connectError = nil
        case .connectFailed(let slot, let error):
            self.slots[slot] = .down(retryAt: now + self.backoff.next())
            // The same reason for many connections, again and again, is one line.
            if self.connectError?.message != error.message {
                self.log.warning("postgres connection failed", [("error.message", error.message)])
            }
            self.connectError = error
        }
    }

    /// Closes a connection and settles what was in flight on it.
    private func replace(_ link: PoolLink) {
        let index = self.slots.firstIndex { if case .up(let other) = $0 { other === link } else { false } }
        guard let index else { return }
        let now = ContinuousClock.now
        // At once, unless connections are made and lost again without any use.
        self.slots[index] = .down(retryAt: link.hasAnswered ? now : now + self.backoff.next())
        if self.links.isEmpty { self.downSince = now }
        // A server that stops takes all its connections with it; the first one says why.
        if link.isLost, self.lastLoss.map({ now - $0 > Self.burst }) ?? true {
            self.lastLoss = now
            self.log.warning(
                "postgres connection lost",
                [
                    ("error.sqlstate", link.farewell?.sqlState ?? ""),
                    // Without SQLSTATE the text is libpq's own; the server's might quote what a user wrote.
                    ("error.message", link.farewell?.sqlState == nil ? link.lastMessage : ""),
                    ("transactions.in_flight", String(link.inFlight.count)),
                ])
        }
        for job in link.takeInFlight().reversed() where job.submission != nil { self.settle(job, after: link) }
    }

    private func settle(_ job: PoolJob, after link: PoolLink) {
        if job.isComplete { return }
        if job.timedOut { return self.fail(job, self.noAnswer(job)) }
        if (!job.wasSentWhole || job.isReadOnly) && job.linkRetries < 3 {
            job.linkRetries += 1
            return self.queue.prepend(job)
        }
        self.fail(
            job,
            PostgresError(
                .connectionLost, sqlState: link.farewell?.sqlState, message: link.lastMessage,
                outcomeUnknown: job.wasSentWhole && !job.isReadOnly))
    }

    private func noAnswer(_ job: PoolJob) -> PostgresError {
        PostgresError(.timeout, message: "no answer in time", outcomeUnknown: !job.isReadOnly)
    }

    // MARK: End

    private func finish() {
        let (left, onFinish) = self.shared.finish()
        let error = PostgresError(.shutdown, message: "the pool is shut down")
        for job in self.removeHeld(where: { _ in true }) { self.fail(job, error) }
        var unknown = error
        unknown.outcomeUnknown = true
        for link in self.links {
            for job in link.takeInFlight() { self.fail(job, job.isReadOnly ? error : unknown) }
        }
        while let job = self.queue.popFirst() { self.fail(job, error) }
        for job in self.delayed { self.fail(job, error) }
        for submission in left.submissions { submission.completion(.failure(error)) }
        for case .connected(_, let handle) in left.arrivals { PQfinish(handle.pointer) }
        self.delayed = []
        self.slots = []
        for done in onFinish { done() }
    }
}
