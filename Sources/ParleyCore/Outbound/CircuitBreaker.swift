/// Stops asking a service that does not work, and tries again with one request.
///
/// It opens after 5 failures in a row, or when half of the last 20 failed; for longer each time, until 20 in a row went
/// well.
public struct CircuitBreaker: Sendable, Equatable {
    public enum Admission: Sendable, Equatable {
        case free
        /// One request may find out.
        case probe
        /// Until then, or while the probe is under way.
        case closed(until: Duration)
    }

    private enum State: Equatable {
        case working
        case stopped(until: Duration)
        case probing(until: Duration)
    }

    private static let inARow = 5
    private static let window = 20
    /// A probe without an outcome is followed by another after that time.
    private static let probeTime = Duration.seconds(30)

    private let pause: ClosedRange<Duration>
    private var state = State.working
    /// The last outcomes, newest first; true for a failure.
    private var recent: [Bool] = []
    private var openings = 0

    /// - Parameter pause: how long it stays open at first, and the longest.
    public init(pause: ClosedRange<Duration> = .seconds(30)...(.seconds(300))) { self.pause = pause }

    public var isWorking: Bool { self.state == .working }

    public func admission(now: Duration) -> Admission {
        switch self.state {
        case .working: .free
        case .stopped(let until), .probing(let until): now >= until ? .probe : .closed(until: until)
        }
    }

    /// The probe is under way.
    mutating func probe(now: Duration) { self.state = .probing(until: now + Self.probeTime) }

    /// Whether a request may be made now; its outcome must be told.
    public mutating func allows(now: Duration) -> Bool {
        switch self.admission(now: now) {
        case .free: return true
        case .closed: return false
        case .probe:
            self.probe(now: now)
            return true
        }
    }

    /// - Returns: whether it works again from now on.
    public mutating func succeeded() -> Bool {
        if self.state != .working {
            self.state = .working
            self.recent = []
            return true
        }
        self.note(failure: false)
        if self.recent.count == Self.window, !self.recent.contains(true) { self.openings = 0 }
        return false
    }

    /// - Returns: whether it stopped now, be it anew.
    public mutating func failed(now: Duration) -> Bool {
        if case .stopped = self.state { return false }
        self.note(failure: true)
        let failures = self.recent.count { $0 }
        let isRow = self.recent.count >= Self.inARow && self.recent[..<Self.inARow].allSatisfy { $0 }
        let isHalf = self.recent.count == Self.window && failures * 2 >= Self.window
        guard self.state != .working || isRow || isHalf else { return false }
        let pause = min(self.pause.lowerBound * (1 << min(self.openings, 10)), self.pause.upperBound)
        self.stop(until: now + pause)
        return true
    }

    mutating func stop(until: Duration) {
        self.state = .stopped(until: until)
        self.openings += 1
        self.recent = []
    }

    private mutating func note(failure: Bool) {
        self.recent.insert(failure, at: 0)
        if self.recent.count > Self.window { self.recent.removeLast() }
    }
}
