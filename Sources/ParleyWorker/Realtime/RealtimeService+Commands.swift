internal import FoundationEssentials
internal import ParleyCore
internal import PostgresClient
internal import Support
internal import WebServer

extension RealtimeService {
    /// Runs a command when those before it, of the same socket and about the same thing, are done: so messages sent rapidly
    /// get their numbers in the order they were sent. What waits is bounded by the session.
    func run(_ command: SocketCommand, for connection: SocketConnection) {
        guard self.acceptedCommands < self.configuration.maxCommands else {
            let overload = PostgresError(.queueFull, message: "too many commands are waiting")
            let actions = connection.session.commandFinished(
                command.reply, isError: true, response: CommandResponse.failure(overload))
            return self.perform(actions, for: connection)
        }
        let kind = LimitBook.Kind(function: command.command.function)
        if let refusal = self.limiter.refusal(kind, of: command.token.boundUser) {
            let actions = connection.session.commandFinished(
                command.reply, isError: true, response: refusal.response(isRetriable: true))
            return self.perform(actions, for: connection)
        }
        let key = CommandKey(socket: connection.socket.id, slot: connection.slot, subject: command.command.subject)
        self.acceptedCommands += 1
        let waiting = WaitingCommand(
            command: command, deadline: .now + self.configuration.commandTimeout, came: Clock.steadyNanoseconds())
        if self.waitingCommands[key]?.append(waiting) == nil {
            self.waitingCommands[key] = []
            self.plan(waiting, key)
        }
    }

    private func plan(_ waiting: WaitingCommand, _ key: CommandKey) {
        let command = waiting.command
        let known = self.schema.plan { cache throws(APIError) in
            try self.shapes.plan(command.command, role: command.token.role, by: cache)
        }
        if let known { return self.submit(known, waiting, key) }
        self.schema.planAfresh { cache throws(APIError) in
            try CommandPlanner(cache: cache).plan(command.command, role: command.token.role)
        } _: { result in
            self.onLoop { $0.submit(result, waiting, key) }
        }
    }

    private func submit(_ planned: Result<CommandPlan, APIError>, _ waiting: WaitingCommand, _ key: CommandKey) {
        switch planned {
        case .success(let plan):
            self.submit(
                SocketTurn(
                    command: PlannedCommand(request: waiting.command, plan: plan), key: key, deadline: waiting.deadline,
                    came: waiting.came))
        case .failure(let refusal):
            self.note(waiting.command, target: nil, refusal.status, since: waiting.came)
            self.finished(waiting.command.reply, key, isError: true, response: CommandResponse.failure(refusal))
        }
    }

    private func submit(_ turn: SocketTurn) {
        let command = turn.command.request.command
        guard command.mayShare else {
            return self.pool.submit(self.transactions.alone(turn.command, within: turn.timeLeft)) { result in
                self.onLoop { $0.finished(turn, result.map(\.last)) }
            }
        }
        self.turnNumber += 1
        self.turns[self.turnNumber] = turn
        let entry = CommandBatcher.Entry(
            self.turnNumber, conversation: command.subject, user: turn.command.request.token.subject)
        self.carryOut(self.batcher.add(entry, now: Clock.steadyNanoseconds()))
    }

    private func carryOut(_ actions: [CommandBatcher.Action]) {
        let since = self.batcher.waitingSince
        self.waitingSince.withLock { $0 = since }
        for action in actions {
            switch action {
            case .together(let entries): self.runTogether(entries)
            case .alone(let entry): self.runAlone(entry)
            }
        }
    }

    /// For how long the oldest command waits that a transaction could take. Any thread.
    nonisolated var longestWait: Duration {
        self.waitingSince.withLock { $0 }.map { .nanoseconds(Clock.steadyNanoseconds() - $0) } ?? .zero
    }

    private func runAlone(_ entry: CommandBatcher.Entry) {
        guard let turn = self.turns[entry.command] else { return }
        self.pool.submit(self.transactions.alone(turn.command, within: turn.timeLeft)) { result in
            self.onLoop { service in
                service.batcher.finishedAlone(entry, Self.outcome(result), now: Clock.steadyNanoseconds())
                service.turns[entry.command] = nil
                service.finished(turn, result.map(\.last))
            }
        }
    }

    private func runTogether(_ entries: [CommandBatcher.Entry]) {
        let turns = entries.compactMap { self.turns[$0.command] }
        let timeLeft = turns.map(\.timeLeft).min() ?? self.configuration.commandTimeout
        let transaction = self.transactions.together(turns.map(\.command), within: timeLeft)
        self.pool.submit(transaction) { result in
            self.onLoop { $0.finishedTogether(entries, result) }
        }
    }

    private func finishedTogether(_ entries: [CommandBatcher.Entry], _ result: Result<[ResultSet], PostgresError>) {
        var outcome = Self.outcome(result)
        // By itself it would fail in the same way; only a lock would then be waited for.
        if entries.count == 1, outcome == .refused { outcome = .answered }
        var culprit: Int?
        if case .failure(let error) = result, let statement = error.statement {
            culprit = statement / CommandTransaction.statementsPerCommand
        }
        self.carryOut(self.batcher.finished(entries, outcome, culprit: culprit, now: Clock.steadyNanoseconds()))
        guard outcome == .answered else { return }
        for (index, entry) in entries.enumerated() {
            guard let turn = self.turns.removeValue(forKey: entry.command) else { continue }
            self.finished(
                turn,
                result.map { results in
                    let position = (index + 1) * CommandTransaction.statementsPerCommand - 1
                    return position < results.count ? results[position] : nil
                })
        }
    }

    /// Only what the server said about a statement rolls back for certain, and may be run again.
    private static func outcome(_ result: Result<[ResultSet], PostgresError>) -> CommandBatcher.Outcome {
        guard case .failure(let error) = result, error.code == .server, !error.outcomeUnknown else { return .answered }
        return ["55P03", "40P01", "40001"].contains(error.sqlState) ? .locked : .refused
    }

    private func finished(_ turn: SocketTurn, _ result: Result<ResultSet?, PostgresError>) {
        let reply = turn.command.request.reply
        switch result {
        case .success(let answer):
            self.note(turn, 200)
            let response = CommandResponse.success(answer, of: turn.command)
            self.finished(reply, turn.key, isError: false, response: response)
        case .failure(let error):
            if error.code != .server {
                self.log.warning("a command of a socket failed", [("code", "\(error.code)")])
            }
            self.note(turn, APIError(error, authenticated: true).status)
            if error.hintsAtStaleSchema { self.schema.refresh { _ in } }
            self.finished(reply, turn.key, isError: true, response: CommandResponse.failure(error))
        }
    }

    private func note(_ turn: SocketTurn, _ status: Int) {
        self.note(turn.command.request, target: turn.command.request.command.function, status, since: turn.came)
    }

    private func note(_ command: SocketCommand, target: String?, _ status: Int, since start: Int64) {
        self.access?.note(.socket, target, user: command.token.boundUser, status: status, since: start)
    }

    private func finished(_ reply: SocketCommand.Reply?, _ key: CommandKey, isError: Bool, response: [UInt8]) {
        self.acceptedCommands -= 1
        // A socket that closed leaves its accepted commands to be finished; nobody is told.
        if let connection = self.connections[key.slot], connection.socket.id == key.socket {
            self.perform(
                connection.session.commandFinished(reply, isError: isError, response: response), for: connection)
        }
        guard let waiting = self.waitingCommands[key], let next = waiting.first else {
            self.waitingCommands[key] = nil
            return
        }
        self.waitingCommands[key]?.removeFirst()
        self.plan(next, key)
    }
}

/// A command, and the place of its answer in the order of its socket.
struct SocketTurn: Sendable {
    var command: PlannedCommand
    var key: CommandKey
    /// When it is answered at the latest, counted from when it came.
    var deadline: ContinuousClock.Instant
    /// By the clock that nobody sets, in nanoseconds.
    var came: Int64

    /// A statement's time limit of 0 would be none.
    var timeLeft: Duration { max(.milliseconds(1), self.deadline - .now) }
}

/// A command that waits for its turn, and when it is answered at the latest.
struct WaitingCommand: Sendable {
    var command: SocketCommand
    var deadline: ContinuousClock.Instant
    var came: Int64
}

/// The commands of one socket about one thing run one after the other.
struct CommandKey: Hashable, Sendable {
    var socket: UInt64
    var slot: UInt32
    var subject: UUID
}
