internal import Support

/// What callers and the connectors hand to the pool's thread.
final class PoolShared: Sendable {
    enum Arrival: Sendable {
        case connected(slot: Int, Libpq.Session)
        case connectFailed(slot: Int, PostgresError)
    }

    /// What the thread takes in one go.
    struct Inbox {
        var submissions: [Submission] = []
        var arrivals: [Arrival] = []
        var isClosing = false
    }

    private struct State {
        var inbox = Inbox()
        var admission: PoolAdmission
        /// The thread waits in `poll`, so the next arrival must wake it.
        var isParked = false
        var isFinished = false
        var statistics = PoolStatistics()
        var onFinish: [@Sendable () -> Void] = []
    }

    let wake = WakeHandle()
    /// Breaks off connection attempts when the pool ends.
    let abandon = WakeHandle()
    private let state: Locked<State>

    init(_ limits: PoolLimits) { self.state = Locked(State(admission: PoolAdmission(limits))) }

    var statistics: PoolStatistics {
        self.state.withLock { state in
            var statistics = state.statistics
            statistics.queued += state.inbox.submissions.count
            return statistics
        }
    }

    // MARK: Any thread

    func submit(_ submission: Submission) -> PostgresError? {
        let (refusal, wakes) = self.state.withLock { state -> (PostgresError?, Bool) in
            if state.inbox.isClosing || state.isFinished {
                return (PostgresError(.shutdown, message: "the pool is shut down"), false)
            }
            if let refusal = state.admission.admit(submission.share) {
                state.statistics.refusedQueueFull += 1
                return (refusal, false)
            }
            state.inbox.submissions.append(submission)
            defer { state.isParked = false }
            return (nil, state.isParked)
        }
        if wakes { self.wake.signal() }
        return refusal
    }

    /// - Returns: false if the pool has ended: the connection is then the caller's to close.
    func arrive(_ arrival: Arrival) -> Bool {
        let accepted = self.state.withLock { state in
            if state.isFinished { return false }
            state.inbox.arrivals.append(arrival)
            state.isParked = false
            return true
        }
        if accepted { self.wake.signal() }
        return accepted
    }

    func close(_ done: (@Sendable () -> Void)?) {
        let finished = self.state.withLock { state in
            state.inbox.isClosing = true
            if let done, !state.isFinished { state.onFinish.append(done) }
            return state.isFinished
        }
        if finished { done?() } else { self.wake.signal() }
    }

    // MARK: The pool's thread

    func take() -> Inbox {
        self.state.withLock { state in
            state.isParked = false
            let inbox = state.inbox
            state.inbox.submissions = []
            state.inbox.arrivals = []
            return inbox
        }
    }

    /// Publishes the counts and allows the thread to wait. False: something arrived, do not wait.
    ///
    /// - Parameter released: what waits no longer.
    func park(_ statistics: PoolStatistics, released: [PoolAdmission.Share], closing: Bool) -> Bool {
        self.state.withLock { state in
            for share in released { state.admission.release(share) }
            let refused = state.statistics.refusedQueueFull
            state.statistics = statistics
            state.statistics.refusedQueueFull = refused
            state.isParked =
                state.inbox.submissions.isEmpty && state.inbox.arrivals.isEmpty && state.inbox.isClosing == closing
            return state.isParked
        }
    }

    /// Ends the pool. What still arrived comes back for refusal.
    func finish() -> (left: Inbox, onFinish: [@Sendable () -> Void]) {
        self.abandon.signal()
        return self.state.withLock { state in
            state.isFinished = true
            state.statistics = PoolStatistics()
            let left = (state.inbox, state.onFinish)
            state.inbox = Inbox()
            state.onFinish = []
            return left
        }
    }
}
