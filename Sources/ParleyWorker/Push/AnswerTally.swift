/// How long answers take: counts of times, each range an eighth longer than the one before.
struct AnswerTally: Sendable {
    private static let growth = 1.125
    /// Up to about 40 s.
    private var counts = [Int](repeating: 0, count: 150)
    private(set) var count = 0
    private static let bounds: [Double] = (0..<150).reduce(into: []) { bounds, _ in
        bounds.append((bounds.last ?? 1 / Self.growth) * Self.growth)
    }

    mutating func add(_ time: Duration) {
        let microseconds = Double(time.components.seconds) * 1e6 + Double(time.components.attoseconds) / 1e12
        let index = Self.bounds.firstIndex { microseconds <= $0 } ?? self.counts.count - 1
        self.counts[index] += 1
        self.count += 1
    }

    /// Microseconds that so many of a hundred took at most; 0 without any.
    func percentile(_ share: Int) -> Int {
        var left = (self.count * share + 99) / 100
        for (index, count) in self.counts.enumerated() where count > 0 {
            left -= count
            if left <= 0 { return Int(Self.bounds[index].rounded()) }
        }
        return 0
    }
}
