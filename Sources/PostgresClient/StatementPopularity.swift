/// Remembers which SQL texts came more than once: only those are worth preparing.
struct StatementPopularity {
    private let capacity: Int
    private var seen: Set<String> = []
    private var popular: Set<String> = []

    /// - Parameter capacity: texts remembered per set; a full set is emptied and learns again.
    init(capacity: Int) { self.capacity = capacity }

    /// Counts one use of `sql`; true from the second on.
    mutating func isPopular(_ sql: String) -> Bool {
        if self.popular.contains(sql) { return true }
        guard self.seen.remove(sql) != nil else {
            if self.seen.count >= self.capacity { self.seen.removeAll(keepingCapacity: true) }
            self.seen.insert(sql)
            return false
        }
        if self.popular.count >= self.capacity { self.popular.removeAll(keepingCapacity: true) }
        self.popular.insert(sql)
        return true
    }
}
