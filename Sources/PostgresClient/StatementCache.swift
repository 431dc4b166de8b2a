/// Which statements are prepared on one connection, and under what name.
///
/// A statement is prepared inside the transaction that first needs it (names must be resolved with that transaction's
/// role), so an error before it in the pipeline skips it. It counts as prepared only once the server has said so;
/// until then other transactions sent on the connection run it unprepared.
struct StatementCache {
    enum Use: Equatable {
        case prepared(name: String)
        /// Prepare under this name, then run; report with `prepared` or `notPrepared`.
        case prepare(name: String, evicting: String?)
        case unprepared
    }

    private struct Entry {
        var name: String
        var confirmed: Bool
        var lastUse: UInt64
    }

    private let capacity: Int
    private var entries: [String: Entry] = [:]
    private var clock: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { self.entries.count }

    /// How to run `sql` now. `worthPreparing`: it has been seen before, so that statements that never come back do not
    /// push out those that do.
    mutating func use(_ sql: String, worthPreparing: Bool) -> Use {
        self.clock += 1
        if let index = self.entries.index(forKey: sql) {
            self.entries.values[index].lastUse = self.clock
            let entry = self.entries.values[index]
            return entry.confirmed ? .prepared(name: entry.name) : .unprepared
        }
        guard worthPreparing, self.capacity > 0 else { return .unprepared }
        var evicted: String?
        if self.entries.count >= self.capacity {
            let oldest = self.entries.filter { $0.value.confirmed }.min { $0.value.lastUse < $1.value.lastUse }
            guard let oldest else { return .unprepared }
            self.entries[oldest.key] = nil
            evicted = oldest.value.name
        }
        let name = "parley_\(self.clock)"
        self.entries[sql] = Entry(name: name, confirmed: false, lastUse: self.clock)
        return .prepare(name: name, evicting: evicted)
    }

    mutating func prepared(_ sql: String) { self.entries[sql]?.confirmed = true }

    mutating func notPrepared(_ sql: String) { self.entries[sql] = nil }
}
