/// Remembers which SQL texts came more than once: only those are worth preparing.
///
/// It keeps hashes, not texts: one that is taken for another is prepared a use too early, no more.
struct StatementPopularity {
    private let capacity: Int
    private var seen: Set<Int> = []
    private var popular: Set<Int> = []

    /// - Parameter capacity: texts remembered per set; a full set is emptied and learns again.
    init(capacity: Int) { self.capacity = capacity }

    /// Counts one use of `sql`; true from the second on.
    mutating func isPopular(_ sql: String) -> Bool {
        let text = sql.hashValue
        if self.popular.contains(text) { return true }
        guard self.seen.remove(text) != nil else {
            if self.seen.count >= self.capacity { self.seen.removeAll(keepingCapacity: true) }
            self.seen.insert(text)
            return false
        }
        if self.popular.count >= self.capacity { self.popular.removeAll(keepingCapacity: true) }
        self.popular.insert(text)
        return true
    }
}
