public import FoundationEssentials

/// Decides which commands of sockets share a database transaction.
///
/// A commit costs more than a send, so under load the commands that have come meanwhile are run as one transaction. At low
/// load a transaction is free at once and nobody waits for company. The rules:
///
/// - At most `running` transactions, each with at most `largest` commands.
/// - What two transactions would both lock, a conversation or a user's rate, is in one of them only: shared
///   transactions never wait for each other.
/// - When a shared transaction fails, nothing of it has happened; each of its commands then runs by itself and gets
///   its own answer.
/// - A conversation that somebody else holds locked, and a user whose command failed, run by themselves for a while:
///   others are not rolled back for their sake twice.
///
/// A command is waiting, shared or alone, and ends by `finished`. Commands of one socket and conversation come one at a
/// time (their order is the caller's business), so overtaking happens only between different senders.
public struct CommandBatcher: Sendable {
    /// A command with what it is likely to lock.
    public struct Entry: Sendable {
        /// Its number with the caller. Commands themselves are large, and would be copied at every step.
        public var command: Int
        public var conversation: UUID
        public var user: UUID?

        public init(_ command: Int, conversation: UUID, user: UUID?) {
            self.command = command
            self.conversation = conversation
            self.user = user
        }

        fileprivate var line: CommandQueue.Line { .init(conversation: self.conversation, user: self.user) }
    }

    public enum Action: Sendable {
        /// As one transaction, in this order, without patience for locks.
        case together([Entry])
        /// In a transaction of its own.
        case alone(Entry)
    }

    /// What became of a transaction.
    public enum Outcome: Sendable, Equatable {
        /// Its commands have their answers: it was committed, or nobody knows whether it was.
        case answered
        /// Rolled back, by an error of one of its commands.
        case refused
        /// Rolled back, because a lock was not to be had.
        case locked
    }

    private let running: Int
    private let largest: Int
    /// Nanoseconds that a conversation or user stays apart.
    private let apartFor: Int64
    private let capacity: Int

    private var waiting = CommandQueue()
    private var shared = 0
    /// Conversations and users of the shared transactions that run.
    private var busy: Set<UUID> = []
    /// Conversations with commands that run alone, and how many.
    private var alone: [UUID: Int] = [:]
    /// Until when a conversation or user stays apart; at most `capacity`.
    private var apart: [UUID: Int64] = [:]

    public init(running: Int = 3, largest: Int = 32, apartFor: Int64 = 5_000_000_000, capacity: Int = 8_192) {
        precondition(running > 0 && largest > 0 && capacity > 0)
        self.running = running
        self.largest = largest
        self.apartFor = apartFor
        self.capacity = capacity
    }

    /// Commands that wait for a transaction.
    var waitingCount: Int { self.waiting.count }
    /// Steps that it took to find those that may run.
    var looks: Int { self.waiting.looks }

    /// Since when the command waits that has waited the longest while all transactions are in use; otherwise commands
    /// wait for one of their own conversation alone.
    public var waitingSince: Int64? { self.shared < self.running ? nil : self.waiting.since }

    /// A command to run.
    ///
    /// - Parameter now: monotonic nanoseconds.
    public mutating func add(_ entry: Entry, now: Int64) -> [Action] {
        if self.alone[entry.conversation] != nil || self.isApart(entry, now: now) { return [self.runAlone(entry)] }
        // What waits already waits for a transaction to end, and goes on waiting.
        guard self.shared < self.running, !self.isBusy(entry) else {
            self.waiting.append(entry, entry.line, since: now, isBusy: self.busy.contains)
            return []
        }
        return [self.runTogether([entry])]
    }

    /// The end of an `Action.together`.
    ///
    /// - Parameter culprit: index of the command that failed, if known. What it stands for stays apart from now on, also
    ///   where it already waits: alone, with patience, it may well succeed, and would take others with it again.
    public mutating func finished(
        _ entries: [Entry], _ outcome: Outcome, culprit: Int? = nil, now: Int64
    ) -> [Action] {
        self.shared -= 1
        for entry in entries {
            self.release(entry.conversation)
            if let user = entry.user { self.release(user) }
        }
        var again = outcome == .answered ? [] : entries.map { self.runAlone($0) }
        if let culprit, entries.indices.contains(culprit), entries.count > 1 {
            self.setApart(entries[culprit], outcome, now: now)
            let apart = self.waiting.removeAll { [apart] in Self.isApart($0.conversation, $0.user, apart, now: now) }
            again += apart.map { self.runAlone($0) }
        }
        return again + self.dispatch()
    }

    private mutating func release(_ key: UUID) {
        if self.busy.remove(key) != nil { self.waiting.release(key) }
    }

    /// The end of an `Action.alone`.
    public mutating func finishedAlone(_ entry: Entry, _ outcome: Outcome, now: Int64) {
        let left = self.alone[entry.conversation, default: 1] - 1
        self.alone[entry.conversation] = left > 0 ? left : nil
        self.setApart(entry, outcome, now: now)
    }

    private mutating func setApart(_ entry: Entry, _ outcome: Outcome, now: Int64) {
        switch outcome {
        case .answered: break
        case .refused: self.setApart(entry.user ?? entry.conversation, now: now)
        case .locked: self.setApart(entry.conversation, now: now)
        }
    }

    private mutating func runAlone(_ entry: Entry) -> Action {
        self.alone[entry.conversation, default: 0] += 1
        return .alone(entry)
    }

    private mutating func dispatch() -> [Action] {
        var actions: [Action] = []
        while self.shared < self.running, let batch = self.take() { actions.append(self.runTogether(batch)) }
        return actions
    }

    private mutating func runTogether(_ batch: [Entry]) -> Action {
        self.shared += 1
        for entry in batch {
            self.busy.insert(entry.conversation)
            if let user = entry.user { self.busy.insert(user) }
        }
        return .together(batch)
    }

    private func isBusy(_ entry: Entry) -> Bool {
        self.busy.contains(entry.conversation) || entry.user.map(self.busy.contains) ?? false
    }

    /// The next that may run now, sorted so that two workers lock conversations in the same order. Looks past all that
    /// may not: however many wait for one conversation, the others do not.
    private mutating func take() -> [Entry]? {
        let batch = self.waiting.take(self.largest, isBusy: self.busy.contains)
        if batch.isEmpty { return nil }
        // a stable order: two commands for one conversation stay as they came
        let order = batch.indices.sorted {
            batch[$0].conversation == batch[$1].conversation
                ? $0 < $1 : batch[$0].conversation < batch[$1].conversation
        }
        return order.map { batch[$0] }
    }

    private func isApart(_ entry: Entry, now: Int64) -> Bool {
        Self.isApart(entry.conversation, entry.user, self.apart, now: now)
    }

    private static func isApart(_ conversation: UUID, _ user: UUID?, _ apart: [UUID: Int64], now: Int64) -> Bool {
        if apart.isEmpty { return false }
        if let until = apart[conversation], now < until { return true }
        return user.flatMap { apart[$0] }.map { now < $0 } ?? false
    }

    /// Beyond `capacity` nobody new is set apart until some have expired: it costs time, never a wrong answer.
    private mutating func setApart(_ key: UUID, now: Int64) {
        if self.apart.count >= self.capacity { self.apart = self.apart.filter { now < $0.value } }
        if self.apart.count < self.capacity { self.apart[key] = now + self.apartFor }
    }
}
