/// Decides what the tail of the log does next: read, pause, fall asleep, wake, connect.
///
/// Each action has one outcome, which is the next event.
///
/// **Sleeping loses nothing.** The tail's lock key K belongs to it alone. A writer, in the transaction that writes an
/// event, tries K in shared mode without waiting, and keeps it until it has ended; if it fails, it calls `pg_notify`,
/// which the server delivers once the transaction has committed. The tail listens from the start, takes K exclusively
/// without waiting, *then* reads once more, and only then waits. For any writer W that commits an event:
///
/// 1. W got K before the tail did. Then the tail got K only after W had ended, and a transaction becomes visible before
///    its locks go. The read that follows sees the event.
/// 2. W tried K while the tail held it. Then W rings. Its commit is before the bell: if the bell comes before the
///    read, the read sees the event, so bells from before it may be dropped; if it comes after, the wait ends.
/// 3. W got K after the tail gave it back. Then the tail is awake and reads within milliseconds.
///
/// Should a bell be missing after all (a writer that looked up the workers before this one had registered), the
/// backstop reads. While W holds K for long, the tail cannot sleep and just polls, a little slower; while the tail
/// is awake it never holds K, so no writer pays for a bell.
public struct TailMachine: Sendable {
    public enum Event: Sendable, Equatable {
        /// Registered, listening, with a cursor.
        case connected
        /// At any time; whatever was under way is void.
        case disconnected
        /// A read found so many events; `isFull` when there may be more at once.
        case read(count: Int, isFull: Bool)
        /// What the last read found was handed on.
        case delivered
        case locked
        case lockBusy
        case unlocked
        /// The bell rang during a pause or a wait.
        case notified
        /// A pause or a wait went by.
        case elapsed
    }

    public enum Action: Sendable, Equatable {
        /// Wait, connect, register, listen, settle the cursor.
        case connect(after: Duration)
        case read
        /// Hand on what the last read found.
        case deliver
        /// Try the lock that says "asleep".
        case tryLock
        case unlock
        /// Wait while awake, until the time is over or the bell rings.
        case pause(Duration)
        /// The same, asleep.
        case sleep(Duration)
    }

    private enum Phase: Equatable {
        case disconnected
        case reading(empty: Int, busy: Int)
        case delivering(isFull: Bool)
        case pausing(empty: Int, busy: Int)
        case locking(empty: Int, busy: Int)
        /// The lock is held from here...
        case checking
        case asleep
        /// ...to here: being given back; with events to hand on, or not.
        case unlocking(found: Bool, isFull: Bool)
    }

    private let policy: TailPolicy
    /// No LISTEN and no session locks: behind a pooler in transaction mode.
    private let pollOnly: Bool
    private var phase = Phase.disconnected
    /// Connections in a row that were lost, or never made, before the log was read: a session that registers and then
    /// cannot read must not do so many times a second, because every registration costs every writer a lock.
    private var failures = 0

    public init(policy: TailPolicy = TailPolicy(), pollOnly: Bool = false) {
        self.policy = policy
        self.pollOnly = pollOnly
    }

    /// What to do first.
    public var start: Action { .connect(after: .zero) }

    public var state: TailState {
        switch self.phase {
        case .disconnected: .disconnected
        case .checking, .asleep: .asleep
        case .reading, .delivering, .pausing, .locking, .unlocking: .awake
        }
    }

    /// - Precondition: the event is an outcome of the action last returned; any other is a programming error.
    public mutating func event(_ event: Event) -> Action {
        switch (self.phase, event) {
        case (_, .disconnected): return self.reconnect()
        case (.disconnected, .connected): return self.read(empty: 0, busy: 0)

        case (.reading(let empty, let busy), .read(let count, let isFull)):
            self.failures = 0
            return count > 0 ? self.deliver(isFull: isFull) : self.afterNothing(empty: empty + 1, busy: busy)
        case (.delivering(let isFull), .delivered):
            if isFull { return self.read(empty: 0, busy: 0) }
            self.phase = .pausing(empty: 0, busy: 0)
            return .pause(self.policy.busyPause)
        case (.pausing(let empty, let busy), .elapsed): return self.read(empty: empty, busy: busy)
        case (.pausing, .notified): return self.read(empty: 0, busy: 0)

        case (.locking, .locked):
            self.phase = .checking
            return .read
        case (.locking(let empty, let busy), .lockBusy):
            self.phase = .pausing(empty: empty, busy: busy + 1)
            let pause = self.policy.busyPause * (1 << min(busy + 1, 8))
            return .pause(min(pause, self.policy.longestBusyLockPause))

        case (.checking, .read(count: 0, _)):
            self.phase = .asleep
            return .sleep(self.policy.backstop)
        case (.checking, .read(_, let isFull)):
            self.phase = .unlocking(found: true, isFull: isFull)
            return .unlock
        case (.asleep, .elapsed):
            self.phase = .checking
            return .read
        case (.asleep, .notified):
            self.phase = .unlocking(found: false, isFull: false)
            return .unlock
        case (.unlocking(let found, let isFull), .unlocked):
            return found ? self.deliver(isFull: isFull) : self.read(empty: 0, busy: 0)

        default: preconditionFailure("\(event) is no outcome of what the tail does in \(self.phase)")
        }
    }

    private mutating func reconnect() -> Action {
        self.phase = .disconnected
        let pause = self.policy.reconnectPause.lowerBound * (1 << min(self.failures, 16))
        self.failures += 1
        return .connect(after: min(pause, self.policy.reconnectPause.upperBound))
    }

    private mutating func read(empty: Int, busy: Int) -> Action {
        self.phase = .reading(empty: empty, busy: busy)
        return .read
    }

    private mutating func deliver(isFull: Bool) -> Action {
        self.phase = .delivering(isFull: isFull)
        return .deliver
    }

    private mutating func afterNothing(empty: Int, busy: Int) -> Action {
        if self.pollOnly {
            self.phase = .pausing(empty: empty, busy: 0)
            let quiet = empty - self.policy.readsBeforeSleep
            if quiet < 0 { return .pause(self.quietPause(empty)) }
            let pause = self.policy.pollOnlyPause.lowerBound * (1 << min(quiet / 4, 8))
            return .pause(min(pause, self.policy.pollOnlyPause.upperBound))
        }
        if empty < self.policy.readsBeforeSleep {
            self.phase = .pausing(empty: empty, busy: busy)
            return .pause(self.quietPause(empty))
        }
        self.phase = .locking(empty: empty, busy: busy)
        return .tryLock
    }

    private func quietPause(_ empty: Int) -> Duration { self.policy.busyPause + self.policy.quietStep * empty }
}
