internal import Glibc
internal import Support

/// The pool's thread: made there, run there, never seen elsewhere. This part turns the wheel and minds the clocks; the
/// extensions send and settle transactions, and make and replace connections.
final class PoolLoop {
    enum Slot {
        case down(retryAt: ContinuousClock.Instant)
        case connecting
        case up(PoolLink)
    }

    /// How long a transaction that nobody wants any more may run before it is cancelled: that costs a connection.
    private static let unwantedTime = Duration.milliseconds(100)
    private static let shutdownGrace = Duration.seconds(5)
    /// Granularity of timeouts while transactions are waiting.
    private static let tick = Duration.milliseconds(20)

    var configuration: PostgresConfiguration
    let shared: PoolShared
    let log: Log
    /// A transaction that may write has committed.
    let committed: @Sendable () -> Void
    /// The server has refused a transaction.
    let refused: @Sendable (Transaction, PostgresError) -> Void

    var slots: [Slot]
    /// Connections that each lane may use at a time.
    let laneCaps: [Int]
    var queue: PoolQueue
    /// Waiting to be run again after a lost race.
    var delayed: [PoolJob] = []
    /// What the others may be told at the next wait: it is no longer in the queue.
    private var released: [PoolAdmission.Share] = []
    var statistics = PoolStatistics()
    var popularity = StatementPopularity(capacity: 1024)
    var backoff: Backoff
    var connectError: PostgresError?
    /// When the last connection went, or the pool was made; nil while one is up.
    var downSince: ContinuousClock.Instant?
    var lastLoss: ContinuousClock.Instant?
    private var nextTick = ContinuousClock.now
    private(set) var closeBy: ContinuousClock.Instant?

    init(
        _ configuration: PostgresConfiguration, size: Int, limits: PoolLimits, shared: PoolShared, log: Log,
        committed: @escaping @Sendable () -> Void, refused: @escaping @Sendable (Transaction, PostgresError) -> Void
    ) {
        self.configuration = configuration
        self.shared = shared
        self.log = log
        self.committed = committed
        self.refused = refused
        self.slots = Array(repeating: .down(retryAt: .now), count: size)
        let quarter = max(1, size / 4)
        self.laneCaps = Transaction.Lane.allCases.map { lane in
            switch lane {
            case .prompt: size
            case .reading: max(1, size - quarter)
            case .upkeep: quarter
            }
        }
        self.queue = PoolQueue(
            mostRunning: limits.runningPerOwner ?? quarter, mostContenders: quarter,
            mostInDebt: max(1, self.laneCaps[Transaction.Lane.reading.rawValue] / 2))
        self.backoff = Backoff(configuration.reconnectDelay)
        self.downSince = .now
    }

    func run() {
        while true {
            let now = ContinuousClock.now
            let inbox = self.shared.take()
            for arrival in inbox.arrivals { self.arrive(arrival, now: now) }
            for submission in inbox.submissions { self.queue.append(PoolJob(submission)) }
            if inbox.isClosing, self.closeBy == nil { self.closeBy = now + Self.shutdownGrace }
            self.checkClocks(now: now)
            self.startConnecting(now: now)
            self.dispatch(now: now)
            if let closeBy = self.closeBy, self.isIdle || closeBy <= now { return self.finish() }
            self.publishAndWait(closing: inbox.isClosing)
        }
    }

    var isIdle: Bool {
        guard self.queue.isEmpty, self.delayed.isEmpty else { return false }
        for case .up(let link) in self.slots where !link.inFlight.isEmpty { return false }
        return true
    }

    var links: [PoolLink] {
        self.slots.compactMap { if case .up(let link) = $0 { link } else { nil } }
    }

    // MARK: Waiting

    private func publishAndWait(closing: Bool) {
        let links = self.links
        self.statistics.connected = links.count
        self.statistics.inFlight = links.reduce(0) { $0 + $1.inFlight.count }
        self.statistics.queued = self.queue.count + self.delayed.count
        let wait = self.shared.park(self.statistics, released: self.released, closing: closing)
        self.released.removeAll(keepingCapacity: true)
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

    // MARK: Clocks

    private func checkClocks(now: ContinuousClock.Instant) {
        guard now >= self.nextTick else { return }
        self.nextTick = now + Self.tick
        for job in self.queue.removeAll(where: { self.isTooLate($0, now: now) }) { self.failUnsent(job, now: now) }
        let late = self.delayed.filter { self.isTooLate($0, now: now) }
        if !late.isEmpty {
            self.delayed.removeAll { self.isTooLate($0, now: now) }
            for job in late { self.failUnsent(job, now: now) }
        }
        for link in self.links { self.checkClocks(of: link, now: now) }
    }

    private func checkClocks(of link: PoolLink, now: ContinuousClock.Instant) {
        guard let head = link.inFlight.first else { return }
        if head.givesUpAt <= now { head.timedOut = true }
        if let cancelledAt = link.cancelledAt {
            if cancelledAt + head.grace <= now {
                link.lose()
                self.replace(link)
                return
            }
        } else if head.timedOut || (head.isCancelled && link.headSince + Self.unwantedTime <= now) {
            link.requestCancel(now: now)
        }
        // Behind another one it cannot be cancelled; its caller need not wait for that one too.
        for job in link.inFlight where job.deadline <= now && !job.isComplete { self.fail(job, self.noAnswer(job)) }
    }

    private func isTooLate(_ job: PoolJob, now: ContinuousClock.Instant) -> Bool {
        if job.givesUpAt <= now || job.isCancelled { return true }
        guard let downSince, let submission = job.submission else { return false }
        return max(downSince, submission.submittedAt) + self.configuration.connectionWait <= now
    }

    private func failUnsent(_ job: PoolJob, now: ContinuousClock.Instant) {
        if job.isCancelled { return self.fail(job, PostgresError(.cancelled, message: "taken back by its caller")) }
        // While connections are merely being replaced there is nothing wrong with the database.
        guard self.downSince != nil, let connectError else {
            return self.fail(job, PostgresError(.timeout, message: "no connection became free in time"))
        }
        self.fail(job, PostgresError(.connectFailed, message: connectError.message))
    }

    // MARK: The queue's bound

    /// It waits no longer, or will never be sent. Called again it does nothing.
    func release(_ job: PoolJob) {
        guard !job.isAdmitted, let submission = job.submission else { return }
        job.isAdmitted = true
        self.released.append(submission.share)
    }

    // MARK: End

    private func finish() {
        let (left, onFinish) = self.shared.finish()
        let error = PostgresError(.shutdown, message: "the pool is shut down")
        var unknown = error
        unknown.outcomeUnknown = true
        for link in self.links {
            for job in link.takeInFlight() { self.fail(job, job.isReadOnly ? error : unknown) }
        }
        for job in self.queue.removeAll(where: { _ in true }) { self.fail(job, error) }
        for job in self.delayed { self.fail(job, error) }
        for submission in left.submissions { submission.completion(.failure(error)) }
        for case .connected(_, let session) in left.arrivals { session.close() }
        self.delayed = []
        self.slots = []
        for done in onFinish { done() }
    }
}
