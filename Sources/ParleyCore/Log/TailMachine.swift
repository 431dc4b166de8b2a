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
/// 3. W got K after the tail gave it back. Then the tail is awake and reads within `longestPause`.
///
/// **A commit of this process is read at once.** Whoever learns of it nudges. A nudge from before a read begins may be
/// forgotten, because the commit is before it; any other stands until the next pause or wait, and ends it. So nothing
/// has to be read on the chance of it, and reads by the clock are there for the commits of others alone.
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
        /// This process has committed something, during a pause or a wait or before it.
        case nudged
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
        /// Wait while awake, until the time is over, the bell rings or a nudge stands.
        case pause(Duration)
        /// Wait until the time is over, whoever nudges.
        case gather(Duration)
        /// The same, asleep.
        case sleep(Duration)
    }

    private enum Phase: Equatable {
        case disconnected
        /// `byClock`: because a pause went by, not because of any news.
        case reading(byClock: Bool)
        case delivering(count: Int, isFull: Bool)
        case pausing(Duration)
        case gathering
        case locking
        /// The lock is held from here...
        case checking
        case asleep
        /// ...to here: being given back; with so many events to hand on.
        case unlocking(found: Int, isFull: Bool)
    }

    private let policy: TailPolicy
    /// No LISTEN and no session locks: behind a pooler in transaction mode.
    private let pollOnly: Bool
    private var phase = Phase.disconnected
    /// Connections in a row that were lost, or never made, before the log was read: a session that registers and then
    /// cannot read must not do so many times a second, because every registration costs every writer a lock.
    private var failures = 0
    /// Reads by the clock in a row that found nothing, whatever nudges found in between: nobody else writes.
    private var misses = 0
    /// Pauses since the last event that went by without news.
    private var quiet = Duration.zero
    /// Pauses in a row after which the tail might have slept.
    private var sleepless = 0

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
        case .reading, .delivering, .pausing, .gathering, .locking, .unlocking: .awake
        }
    }

    /// - Precondition: the event is an outcome of the action last returned; any other is a programming error.
    public mutating func event(_ event: Event) -> Action {
        switch (self.phase, event) {
        case (_, .disconnected): return self.reconnect()
        case (.disconnected, .connected): return self.read()

        case (.reading(let byClock), .read(let count, let isFull)):
            self.failures = 0
            if byClock { self.misses = count > 0 ? 0 : self.misses + 1 }
            return count > 0 ? self.deliver(count, isFull: isFull) : self.afterNothing()
        case (.delivering(let count, let isFull), .delivered):
            if isFull { return self.read() }
            guard count < self.policy.crowd else {
                self.phase = .gathering
                return .gather(self.policy.gatherPause)
            }
            return self.pause(self.awakePause)
        case (.gathering, .elapsed), (.gathering, .notified): return self.read()
        case (.pausing(let time), .elapsed):
            self.quiet += time
            return self.read(byClock: true)
        case (.pausing, .notified), (.pausing, .nudged): return self.read()

        case (.locking, .locked):
            self.sleepless = 0
            self.phase = .checking
            return .read
        case (.locking, .lockBusy):
            self.sleepless += 1
            return self.pause(
                self.doubled(self.policy.busyPause, self.sleepless, atMost: self.policy.longestBusyLockPause))

        case (.checking, .read(count: 0, _)):
            self.phase = .asleep
            return .sleep(self.policy.backstop)
        case (.checking, .read(let count, let isFull)):
            self.phase = .unlocking(found: count, isFull: isFull)
            return .unlock
        // With the lock still held: not every commit of this process has events, and then it sleeps on.
        case (.asleep, .elapsed), (.asleep, .nudged):
            self.phase = .checking
            return .read
        case (.asleep, .notified):
            // Others write.
            self.misses = 0
            self.phase = .unlocking(found: 0, isFull: false)
            return .unlock
        case (.unlocking(let found, let isFull), .unlocked):
            return found > 0 ? self.deliver(found, isFull: isFull) : self.read()

        default: preconditionFailure("\(event) is no outcome of what the tail does in \(self.phase)")
        }
    }

    private mutating func reconnect() -> Action {
        self.phase = .disconnected
        self.misses = 0
        self.quiet = .zero
        self.sleepless = 0
        let pause = self.policy.reconnectPause.lowerBound * (1 << min(self.failures, 16))
        self.failures += 1
        return .connect(after: min(pause, self.policy.reconnectPause.upperBound))
    }

    private mutating func read(byClock: Bool = false) -> Action {
        self.phase = .reading(byClock: byClock)
        return .read
    }

    private mutating func deliver(_ count: Int, isFull: Bool) -> Action {
        self.quiet = .zero
        self.sleepless = 0
        self.phase = .delivering(count: count, isFull: isFull)
        return .deliver
    }

    private mutating func pause(_ time: Duration) -> Action {
        self.phase = .pausing(time)
        return .pause(time)
    }

    private mutating func afterNothing() -> Action {
        if self.quiet < self.policy.quietBeforeSleep { return self.pause(self.awakePause) }
        if self.pollOnly {
            self.sleepless += 1
            let range = self.policy.pollOnlyPause
            return self.pause(self.doubled(range.lowerBound, self.sleepless / 4, atMost: range.upperBound))
        }
        self.phase = .locking
        return .tryLock
    }

    private var awakePause: Duration {
        self.doubled(self.policy.busyPause, self.misses, atMost: self.policy.longestPause)
    }

    private func doubled(_ pause: Duration, _ times: Int, atMost longest: Duration) -> Duration {
        min(pause * (1 << min(times, 8)), longest)
    }
}
