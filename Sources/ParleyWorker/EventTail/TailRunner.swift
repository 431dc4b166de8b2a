internal import ParleyCore
internal import PostgresClient
internal import Support

/// Carries out what `TailMachine` decides, on a thread of its own: the database calls block.
actor TailRunner {
    private let executor = QueueExecutor(label: "parley.tail")
    nonisolated var unownedExecutor: UnownedSerialExecutor { self.executor.asUnownedSerialExecutor() }

    private let settings: EventTail.Settings
    private let interrupter: PostgresConnection.Interrupter
    private var machine: TailMachine
    private var isPollOnly: Bool
    private var machineIsPollOnly: Bool

    private var reader: LogReader?
    private var position: LogReader.Position?
    /// Read, not handed on yet.
    private var found: TailBatch?
    private var delivered: LogCursor?
    private var lastBeat = ContinuousClock.now
    private var reported: TailState?
    private var isStopping = false
    /// The trouble that was told last, and when.
    private var told: (trouble: DatabaseTrouble, at: ContinuousClock.Instant)?
    /// Multiplies the time a read may take. Late commits come complete, so one can be larger than the policy allows for;
    /// asked for again with the same patience it would never end.
    private var patience = 1
    private static let mostPatience = 64

    init(_ settings: EventTail.Settings, interrupter: PostgresConnection.Interrupter) {
        self.settings = settings
        self.interrupter = interrupter
        self.isPollOnly = settings.pollOnly
        self.machineIsPollOnly = settings.pollOnly
        self.machine = TailMachine(policy: settings.policy, pollOnly: settings.pollOnly)
    }

    /// - Throws: what trying again cannot mend: the database has become too new.
    func run() async throws(PostgresError) {
        var action = self.machine.start
        while !Task.isCancelled && !self.isStopping {
            let event: TailMachine.Event
            do throws(PostgresError) {
                event = try await self.carryOut(action)
            } catch {
                event = self.lost(error)
                if error.sqlState == LogReader.workerIsTooOld { throw error }
            }
            action = self.machine.event(event)
            self.report()
        }
        self.leave()
    }

    private func carryOut(_ action: TailMachine.Action) async throws(PostgresError) -> TailMachine.Event {
        if case .connect(let delay) = action { return try await self.connect(after: delay) }
        guard let reader, let position else { throw PostgresError(.connectionLost, message: "no connection") }
        if self.lastBeat + self.settings.policy.beat <= .now {
            guard try reader.beat() else {
                throw PostgresError(.connectionLost, message: "the worker's registration is gone")
            }
            self.lastBeat = .now
        }
        switch action {
        case .connect: preconditionFailure("handled above")
        case .read:
            // Before the read begins: a commit that was answered by now is in what it finds.
            self.settings.nudge.forget()
            let (batch, mark, isFull) = try self.read(reader, after: position)
            self.position?.cursor = batch.cursor
            self.position?.mark = mark
            self.found = batch
            return .read(count: batch.events.count, isFull: isFull)
        case .deliver:
            if let found { await self.deliver(found) }
            return .delivered
        case .tryLock: return try reader.tryLock() ? .locked : .lockBusy
        case .unlock:
            try reader.unlock()
            return .unlocked
        case .pause(let time): return try self.wait(reader, upTo: time, nudge: self.settings.nudge)
        case .gather(let time): return try self.wait(reader, upTo: time, nudge: nil)
        case .sleep(let time):
            // The last reads found nothing, but the position moved on with other transactions.
            if self.delivered != position.cursor { await self.deliver(TailBatch(events: [], cursor: position.cursor)) }
            return try self.wait(reader, upTo: time, nudge: self.settings.nudge)
        }
    }

    private func read(
        _ reader: LogReader, after position: LogReader.Position
    ) throws(PostgresError) -> (batch: TailBatch, mark: LogReader.Mark, isFull: Bool) {
        do throws(PostgresError) {
            let answer = try reader.read(after: position, within: self.settings.policy.answerTime * self.patience)
            self.patience = 1
            return answer
        } catch {
            if error.code == .timeout { self.patience = min(self.patience * 2, Self.mostPatience) }
            throw error
        }
    }

    private func wait(
        _ reader: LogReader, upTo time: Duration, nudge: PostgresConnection.Nudge?
    ) throws(PostgresError) -> TailMachine.Event {
        switch try reader.wait(upTo: time, nudge: nudge) {
        case .notification: return .notified
        case .nudged: return .nudged
        case .timeout: return .elapsed
        case .interrupted:
            self.isStopping = true
            return .elapsed
        }
    }

    private func deliver(_ batch: TailBatch) async {
        self.found = nil
        await self.settings.deliver(batch)
        self.delivered = batch.cursor
    }

    // MARK: Connection

    private func connect(after delay: Duration) async throws(PostgresError) -> TailMachine.Event {
        if delay > .zero {
            // Half of it is chance, so that many workers do not come back at once. Ends early when cancelled.
            try? await Task.sleep(for: delay * Double.random(in: 0.5...1))
        }
        guard !Task.isCancelled else { throw PostgresError(.shutdown, message: "shut down") }
        let reader = try LogReader(
            self.settings.configuration, interrupter: self.interrupter, workerName: self.settings.workerName,
            version: self.settings.version, answerTime: self.settings.policy.answerTime, pollOnly: self.isPollOnly)
        if reader.isPooled, !self.isPollOnly {
            self.isPollOnly = true
            self.settings.log.warning(
                "the database URL leads through a pooler: no LISTEN, the log is polled",
                [("advice", "give a direct connection with --listen-database-url, or say --poll-only")])
        }
        self.choosePolling(self.isPollOnly || reader.isReadOnly)
        if let position, position.epoch == reader.position.epoch, try !reader.holds(position) {
            self.settings.log.warning("the log was set back to an older copy: a new epoch begins")
            guard reader.isReadOnly else { throw PostgresError(.connectionLost, message: "the log was set back") }
            // Nothing can be written there; this worker's clients learn of it all the same.
            self.position?.epoch = ""
        }
        self.reader = reader
        if !reader.isReadOnly { self.settings.registered(reader.workerID) }
        self.lastBeat = .now
        await self.settle(reader.position)
        self.told = nil
        self.settings.log.info("tail connected", [("log.epoch", reader.position.epoch)])
        if reader.isReadOnly {
            let trouble = DatabaseTrouble.readOnly
            self.settings.log.warning(
                "reads and joins go on, changes are refused", [("problem", trouble.state), ("advice", trouble.advice)])
        }
        return .connected
    }

    private func choosePolling(_ pollOnly: Bool) {
        guard pollOnly != self.machineIsPollOnly else { return }
        self.machineIsPollOnly = pollOnly
        self.machine = TailMachine(policy: self.settings.policy, pollOnly: pollOnly)
    }

    /// A cursor from before is good for as long as the log is the same one: nothing is lost, and nothing comes twice.
    private func settle(_ end: LogReader.Position) async {
        // Found and not handed on when the connection broke: the cursor is past it already.
        if let found, self.position?.epoch == end.epoch { await self.deliver(found) }
        self.found = nil
        if let position, position.epoch == end.epoch { return }
        let isAnother = self.position != nil
        self.position = end
        if isAnother {
            self.settings.log.warning("the log's epoch changed", [("log.epoch", end.epoch)])
            self.settings.epochChanged()
        }
        await self.deliver(TailBatch(events: [], cursor: end.cursor))
    }

    private func lost(_ error: PostgresError) -> TailMachine.Event {
        // Refused by a server that is there: the registration must not stay behind for writers to look at.
        if error.code == .server || error.code == .protocolViolation { self.deregister() }
        self.reader = nil
        if error.code != .shutdown {
            self.settings.trouble(error)
            self.tell(error)
        }
        return .disconnected
    }

    /// What is wrong and what to do, when that changes, and once a minute while it lasts.
    private func tell(_ error: PostgresError) {
        let trouble = DatabaseTrouble(error)
        if let told, told.trouble == trouble, told.at + .seconds(60) > .now { return }
        self.told = (trouble, .now)
        var facts = [
            ("problem", trouble.state), ("advice", trouble.advice), ("error.code", error.code.description),
            ("error.sqlstate", error.sqlState ?? ""),
        ]
        // Why no connection can be made quotes nobody's messages; other texts might.
        if error.code == .connectFailed { facts.append(("error.message", error.message)) }
        self.settings.log.warning("tail disconnected", facts)
    }

    private func report() {
        let state = self.machine.state
        guard state != self.reported else { return }
        self.reported = state
        self.settings.state(state)
    }

    private func leave() {
        self.interrupter.reset()
        self.deregister()
        self.reader = nil
        if self.reported != .disconnected { self.settings.state(.disconnected) }
    }

    private func deregister() {
        do throws(PostgresError) {
            try self.reader?.stop()
        } catch {
            // Without it the others remove the registration after a minute.
            self.settings.log.info("the worker's registration stays behind", [("error.code", error.code.description)])
        }
    }
}
