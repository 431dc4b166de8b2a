/// Stops sending to what does not work, and tries again with one request.
///
/// It opens after 5 failures in a row, or when half of the last 20 failed; for longer each time, until 20 in a row went
/// well.
struct PushBreaker: Sendable, Equatable {
    enum Admission: Equatable {
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

    private let pause: ClosedRange<Duration>
    private var state = State.working
    /// The last outcomes, newest first; true for a failure.
    private var recent: [Bool] = []
    private var openings = 0

    init(pause: ClosedRange<Duration>) { self.pause = pause }

    var isWorking: Bool { self.state == .working }

    func admission(now: Duration) -> Admission {
        switch self.state {
        case .working: .free
        case .stopped(let until): now >= until ? .probe : .closed(until: until)
        case .probing(let until): now >= until ? .probe : .closed(until: until)
        }
    }

    /// The probe is under way; it has an outcome by then.
    mutating func probe(until: Duration) { self.state = .probing(until: until) }

    /// - Returns: whether it works again from now on.
    mutating func succeeded() -> Bool {
        if self.state != .working {
            self.state = .working
            self.recent = []
            return true
        }
        self.note(failure: false)
        if self.recent.count == Self.window, !self.recent.contains(true) { self.openings = 0 }
        return false
    }

    /// - Returns: whether it stopped now.
    mutating func failed(now: Duration) -> Bool {
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
