/// Finds the name a caller may have meant.
enum Similarity {
    /// Names longer than an identifier of Postgres have no neighbour, and would only cost time.
    private static let longestName = 63

    /// The candidate that differs least from `name`, when at least three quarters of it agree.
    static func closest(to name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(name.utf8)
        guard !wanted.isEmpty, wanted.count <= self.longestName else { return nil }
        let scored = candidates.map { candidate in
            let other = Array(candidate.utf8)
            return (name: candidate, distance: self.distance(wanted, other), length: max(wanted.count, other.count))
        }
        // Equal distances are settled by name, so that the answer does not depend on the order of a dictionary.
        let best = scored.min { ($0.distance, $0.name) < ($1.distance, $1.name) }
        guard let best, best.distance * 4 <= best.length else { return nil }
        return best.name
    }

    /// Levenshtein's edit distance.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var previous = Array(0...right.count)
        for (row, leftByte) in left.enumerated() {
            var current = [row + 1]
            current.reserveCapacity(right.count + 1)
            for (column, rightByte) in right.enumerated() {
                let substituted = previous[column] + (leftByte == rightByte ? 0 : 1)
                current.append(min(substituted, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[right.count]
    }
}
