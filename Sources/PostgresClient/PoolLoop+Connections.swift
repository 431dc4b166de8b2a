internal import Support

/// Making connections, and replacing them.
extension PoolLoop {
    /// Connections lost within this time of the first have one line in the log.
    private static var burst: Duration { .seconds(1) }

    func startConnecting(now: ContinuousClock.Instant) {
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
            let session = try Libpq.openSession(configuration, interrupt: shared.abandon)
            if !shared.arrive(.connected(slot: slot, session)) { session.close() }
        } catch {
            // Refused only by a pool that has ended: then nobody is left to be told.
            _ = shared.arrive(.connectFailed(slot: slot, error))
        }
    }

    func arrive(_ arrival: PoolShared.Arrival, now: ContinuousClock.Instant) {
        switch arrival {
        case .connected(let slot, let session):
            if session.isShared { self.stopPreparing() }
            let cache =
                self.configuration.preparedStatements
                ? StatementCache(
                    capacity: self.configuration.statementCacheSize, bytes: self.configuration.statementCacheBytes)
                : .off
            guard let link = PoolLink(session.handle, cache: cache) else {
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

    /// Others use the same sessions: what one transaction prepares, the next may not find, or may find of somebody else.
    func stopPreparing() {
        guard self.configuration.preparedStatements else { return }
        self.configuration.preparedStatements = false
        self.log.info("a pooler is in between: no statement is prepared")
        for link in self.links { link.stopPreparing() }
    }

    /// Closes a connection and settles what was in flight on it.
    func replace(_ link: PoolLink) {
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
        for job in link.takeInFlight().reversed() where job.submission != nil {
            self.settle(job, after: link, now: now)
        }
    }

    private func settle(_ job: PoolJob, after link: PoolLink, now: ContinuousClock.Instant) {
        self.queue.left(job, now: now)
        if job.isComplete { return }
        if job.timedOut { return self.fail(job, self.noAnswer(job)) }
        if job.isCancelled {
            return self.fail(
                job,
                PostgresError(.cancelled, message: "taken back by its caller", outcomeUnknown: !job.isReadOnly))
        }
        if (!job.wasSentWhole || job.isReadOnly) && job.linkRetries < 3 { return self.sendAgain(job, now: now) }
        self.fail(
            job,
            PostgresError(
                .connectionLost, sqlState: link.farewell?.sqlState, message: link.lastMessage,
                outcomeUnknown: job.wasSentWhole && !job.isReadOnly))
    }
}
