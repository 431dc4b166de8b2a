internal import FoundationEssentials
internal import ParleyCore
internal import PostgresClient
internal import Support
internal import WebServer

extension RealtimeService {
    /// Runs a call when those before it, of the same socket and conversation, are done: so messages sent rapidly get
    /// their numbers in the order they were sent. What waits is bounded by the session.
    func call(_ call: DatabaseCall, for connection: SocketConnection) {
        guard self.metrics.calls < self.configuration.maxCalls else {
            let overload = PostgresError(.queueFull, message: "too many calls are waiting")
            let actions = connection.session.callFinished(
                call.reply, isError: true, response: CallQuery.response(overload))
            self.metrics.callsFailed += 1
            return self.perform(actions, for: connection)
        }
        let key = CallKey(socket: connection.socket.id, slot: connection.slot, conversation: call.conversation)
        self.metrics.calls += 1
        let socketCall = SocketCall(call: call, key: key, deadline: .now + self.configuration.callTimeout)
        if self.waitingCalls[key]?.append(socketCall) == nil {
            self.waitingCalls[key] = []
            self.submit(socketCall)
        }
    }

    private func submit(_ call: SocketCall) {
        let entry = CallEntry(call, conversation: call.call.conversation, user: call.call.token.subject)
        self.run(self.batcher.add(entry, now: Self.steady()))
    }

    private func run(_ actions: [CallBatcher<SocketCall>.Action]) {
        for action in actions {
            switch action {
            case .together(let entries): self.runTogether(entries)
            case .alone(let entry): self.runAlone(entry)
            }
        }
    }

    private func runAlone(_ entry: CallEntry) {
        let transaction = CallQuery.transaction(
            entry.call.call, timeout: entry.call.timeLeft, lockTimeout: self.configuration.lockTimeout)
        self.pool.submit(transaction) { result in
            self.onLoop { service in
                service.batcher.finishedAlone(entry, Self.outcome(result), now: Self.steady())
                service.finished(entry.call, result.map(\.last))
            }
        }
    }

    private func runTogether(_ entries: [CallEntry]) {
        let transaction = CallQuery.transaction(
            entries.map(\.call.call), timeout: entries.map(\.call.timeLeft).min() ?? self.configuration.callTimeout,
            lockTimeout: self.configuration.sharedLockTimeout)
        self.pool.submit(transaction) { result in
            self.onLoop { $0.finishedTogether(entries, result) }
        }
    }

    private func finishedTogether(_ entries: [CallEntry], _ result: Result<[ResultSet], PostgresError>) {
        var outcome = Self.outcome(result)
        // By itself it would fail in the same way; only a lock would then be waited for.
        if entries.count == 1, outcome == .refused { outcome = .answered }
        var culprit: Int?
        if case .failure(let error) = result, let statement = error.statement {
            // the limits, and then so many statements of each
            culprit = (statement - 1) / CallQuery.statementsPerCall
        }
        self.run(self.batcher.finished(entries, outcome, culprit: culprit, now: Self.steady()))
        guard outcome == .answered else { return }
        self.metrics.callsShared += entries.count > 1 ? entries.count : 0
        for (index, entry) in entries.enumerated() {
            self.finished(
                entry.call,
                result.map { results in
                    // the limits, and then the identity and the answer of each
                    let position = (index + 1) * CallQuery.statementsPerCall
                    return position < results.count ? results[position] : nil
                })
        }
    }

    /// Only what the server said about a statement rolls back for certain, and may be run again.
    private static func outcome(_ result: Result<[ResultSet], PostgresError>) -> CallBatcher<SocketCall>.Outcome {
        guard case .failure(let error) = result, error.code == .server, !error.outcomeUnknown else { return .answered }
        return ["55P03", "40P01", "40001"].contains(error.sqlState) ? .locked : .refused
    }

    private func finished(_ socketCall: SocketCall, _ result: Result<ResultSet?, PostgresError>) {
        let (call, key) = (socketCall.call, socketCall.key)
        self.metrics.calls -= 1
        // A socket that closed leaves its accepted calls to be finished; nobody is told.
        if let connection = self.connections[key.slot], connection.socket.id == key.socket {
            let actions: [SessionAction]
            switch result {
            case .success(let answer):
                actions = connection.session.callFinished(
                    call.reply, isError: false, response: CallQuery.response(answer, call.function))
            case .failure(let error):
                actions = connection.session.callFinished(
                    call.reply, isError: true, response: CallQuery.response(error))
            }
            self.perform(actions, for: connection)
        }
        if case .failure(let error) = result {
            self.metrics.callsFailed += 1
            if error.code != .server {
                self.log.warning("a call from a socket failed", [("code", "\(error.code)")])
            }
        }
        guard let waiting = self.waitingCalls[key], let next = waiting.first else {
            self.waitingCalls[key] = nil
            return
        }
        self.waitingCalls[key]?.removeFirst()
        self.submit(next)
    }
}

typealias CallEntry = CallBatcher<SocketCall>.Entry

/// A call and the socket that waits for its answer.
struct SocketCall: Sendable {
    var call: DatabaseCall
    var key: CallKey
    /// When it is answered at the latest, counted from when it came.
    var deadline: ContinuousClock.Instant

    /// A statement's time limit of 0 would be none.
    var timeLeft: Duration { max(.milliseconds(1), self.deadline - .now) }
}

/// The calls of one socket for one conversation run one after the other.
struct CallKey: Hashable, Sendable {
    var socket: UInt64
    var slot: UInt32
    var conversation: UUID
}
