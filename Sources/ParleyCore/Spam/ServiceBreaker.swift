/// Stops asking a service that does not answer, and tries again after a pause with one request.
public struct ServiceBreaker: Sendable, Equatable {
    private enum State: Equatable {
        case working
        case stopped(until: Duration)
        /// One request is under way to find out; should it never end, another may after that time.
        case probing(until: Duration)
    }

    /// Failures in a row that stop it.
    private let limit: Int
    private let pause: Duration
    private var state = State.working
    private var failures = 0

    public init(limit: Int = 5, pause: Duration = .seconds(30)) {
        self.limit = limit
        self.pause = pause
    }

    /// Whether a request may be made now; its outcome must be told.
    public mutating func allows(now: Duration) -> Bool {
        switch self.state {
        case .working: return true
        case .stopped(let until), .probing(let until):
            guard now >= until else { return false }
            self.state = .probing(until: now + self.pause)
            return true
        }
    }

    /// - Returns: whether it works again from now on.
    public mutating func succeeded() -> Bool {
        self.failures = 0
        defer { self.state = .working }
        return self.state != .working
    }

    /// - Returns: whether it stopped now.
    public mutating func failed(now: Duration) -> Bool {
        self.failures += 1
        guard self.state != .working || self.failures >= self.limit else { return false }
        defer { self.state = .stopped(until: now + self.pause) }
        return self.state == .working
    }
}
