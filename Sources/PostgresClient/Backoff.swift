/// Pauses that double up to a limit, each cut by a random half so that many do not try at once.
struct Backoff {
    private let range: ClosedRange<Duration>
    private var attempt = 0

    init(_ range: ClosedRange<Duration>) { self.range = range }

    mutating func next() -> Duration {
        self.attempt += 1
        return min(Self.delay(from: self.range.lowerBound, attempt: self.attempt), self.range.upperBound)
    }

    mutating func reset() { self.attempt = 0 }

    /// Between half and all of `first * 2^(attempt - 1)`.
    static func delay(from first: Duration, attempt: Int) -> Duration {
        let full = first * (1 << min(max(attempt - 1, 0), 16))
        return full * Double.random(in: 0.5...1)
    }
}
