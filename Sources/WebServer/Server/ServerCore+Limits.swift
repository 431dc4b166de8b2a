internal import Support

/// How the limits of ``Admission`` and ``HeldBytes`` are carried out.
extension ServerCore {
    /// Connections beyond the limits that are read at a time; one more cuts the oldest.
    static let annexSize = 64
    /// Milliseconds between two scans for relief, unless much more is held than the ceiling.
    private static let reliefInterval: Int64 = 50

    // MARK: - Places

    /// Gives a new connection its place, or one in the annex with the answer to be given there.
    func seat(_ connection: Connection, _ group: String) {
        var verdict = self.admission.verdict(group, now: self.now)
        if verdict != .admit, verdict != .full, self.makeRoom(group, verdict) { verdict = .admit }
        guard verdict != .admit else {
            connection.pass = self.admission.enter(group)
            return
        }
        self.refusals.connections += 1
        connection.refusal =
            verdict == .addressFull
            ? HTTPFailure(429, "Too many connections from this address.", retryAfter: 5)
            : HTTPFailure(503, "The server has no room for another connection.", retryAfter: 5)
        if self.annex.count >= Self.annexSize { self.annex.first?.kill() }
        self.annex.append(connection)
    }

    /// Closes a stranger for a newer one: of the same address one that waits for nothing, of all addresses the oldest that
    /// no request of is being answered. A flood of strangers ends itself by that, and newcomers have their time.
    private func makeRoom(_ group: String, _ verdict: Admission.Verdict) -> Bool {
        var oldest: Connection?
        for candidate in self.connections {
            guard let pass = candidate.pass, pass.key == nil, candidate.birth < oldest?.birth ?? .max else { continue }
            guard verdict == .strangersFull ? !candidate.isAnswering : candidate.isIdleHTTP && pass.address == group
            else { continue }
            oldest = candidate
        }
        oldest?.kill()
        return oldest != nil
    }

    /// The connection has ended: its place is free.
    func vacate(_ connection: Connection) {
        if let pass = connection.pass {
            connection.pass = nil
            self.admission.leave(pass, now: self.now)
        } else if connection.refusal != nil {
            self.annex.removeAll { $0 === connection }
        }
    }

    // MARK: - Memory

    /// Why this answer cannot be given, if it cannot.
    func refusal(of bytes: Int, for connection: Connection) -> HTTPFailure? {
        guard bytes > HeldBytes.smallAnswer else { return nil }
        guard bytes <= self.configuration.maxAnswerBytes else {
            self.refusals.answers += 1
            return HTTPFailure(
                413, "The answer is larger than \(self.configuration.maxAnswerBytes) bytes; ask for less at a time.")
        }
        if !self.held.hasRoom(for: bytes) { self.relieve(for: bytes) }
        guard self.held.hasRoom(for: bytes), self.hasShare(of: connection.group, for: bytes) else {
            self.refusals.answers += 1
            return HTTPFailure(503, "Too many answers wait for their readers.", retryAfter: 5)
        }
        return nil
    }

    /// Whether the answers of one address leave the others half of the room, if need be without its stalled ones.
    private func hasShare(of group: String, for bytes: Int) -> Bool {
        let half = self.held.ceiling / 2
        guard self.held.total + bytes > half else { return true }
        let answers = self.connections.filter { $0.isSendingResponse && $0.group == group }
        var sum = answers.reduce(bytes) { $0 + $1.queuedBytes }
        for answer in answers where sum > half && answer.isStalled {
            sum -= answer.queuedBytes
            answer.kill()
            self.refusals.relieved += 1
        }
        return sum <= half
    }

    /// At the end of a turn, when all that the kernel takes has left. - Returns: true when connections were closed.
    func relieveWhenDue() -> Bool {
        guard self.held.isOver, self.now - self.relievedAt >= Self.reliefInterval else { return false }
        return self.relieve(for: 0)
    }

    /// Closes connections until there is room for so many bytes more, or none is left that may be closed.
    @discardableResult
    private func relieve(for bytes: Int) -> Bool {
        guard self.now - self.relievedAt >= Self.reliefInterval else { return false }
        self.relievedAt = self.now
        let holders = self.connections.map {
            HeldBytes.Holder(
                subject: $0, bytes: $0.heldBytes, isStalled: $0.isStalled, isAnswer: $0.isSendingResponse)
        }
        var closed = 0
        for connection in HeldBytes.victims(holders) {
            guard self.held.total + bytes > self.held.relieved else { break }
            connection.makeWay()
            closed += 1
        }
        self.refusals.relieved += closed
        return closed > 0
    }

    // MARK: - Log

    /// One line a second at most says what was refused or closed for want of room.
    func reportRefusals() {
        guard self.refusals != RefusalCounts(), self.now - self.refusals.since >= 1000 else { return }
        let counts = self.refusals
        self.refusals = RefusalCounts(since: self.now)
        guard counts.sum > 0 else { return }
        self.log.warning(
            "refused for want of room",
            [
                ("connections", "\(counts.connections)"), ("requests", "\(counts.requests)"),
                ("answers", "\(counts.answers)"), ("closed", "\(counts.relieved)"), ("held", "\(self.held.total)"),
            ])
    }
}

/// What was refused since the log last said so.
struct RefusalCounts: Equatable {
    var since: Int64 = 0
    /// Connections answered 429 or 503.
    var connections = 0
    /// Requests and upgrades answered 503 before their handler saw them.
    var requests = 0
    /// Answers replaced by 413 or 503.
    var answers = 0
    /// Connections closed for what they held.
    var relieved = 0

    var sum: Int { self.connections + self.requests + self.answers + self.relieved }
}
