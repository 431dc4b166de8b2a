/// Timers in the order in which they are due. No clock of its own: times are milliseconds of whatever clock the caller
/// has.
struct TimerQueue {
    struct Entry {
        let id: UInt64
        var due: Int64
        /// Zero for a timer that runs once.
        let period: Int64
        let work: @Sendable () -> Void
    }

    /// Sorted, the next one last. Loops have a handful of timers.
    private var entries: [Entry] = []

    /// When the next timer is due.
    var nextDue: Int64? { self.entries.last?.due }

    mutating func insert(_ entry: Entry) {
        // Before those that are due at the same time, which were here first.
        let index = self.entries.firstIndex { $0.due <= entry.due } ?? self.entries.endIndex
        self.entries.insert(entry, at: index)
    }

    mutating func remove(_ id: UInt64) { self.entries.removeAll { $0.id == id } }

    mutating func removeAll() { self.entries = [] }

    /// Takes out the next timer that is due, and puts a repeating one back for its next time.
    mutating func takeDue(_ now: Int64) -> Entry? {
        guard let last = self.entries.last, last.due <= now else { return nil }
        self.entries.removeLast()
        if last.period > 0 {
            var again = last
            // A late run is not made up for.
            again.due = max(last.due + last.period, now + 1)
            self.insert(again)
        }
        return last
    }
}
