internal import Crypto

/// Which statements are prepared on one connection.
///
/// A statement is prepared inside the transaction that first needs it (names must be resolved with that transaction's
/// role), so an error before it in the pipeline skips it. It counts as prepared only once the server has said so;
/// until then other transactions sent on the connection run it unprepared.
///
/// The name of a statement is made of its text: on a session that somebody shares, a name never means two texts.
struct StatementCache {
    enum Use: Equatable {
        case prepared(name: String)
        /// Prepare under this name, then run; report with `prepared` or `notPrepared`.
        case prepare(name: String)
        case unprepared
    }

    /// How to run the statements of one transaction.
    struct Plan: Equatable {
        var uses: [Use] = []
        /// Names to deallocate before the transaction; none of them is used in it.
        var evicted: [String] = []
    }

    /// A longer text is run unprepared: it is not worth the server's memory, of which a plan takes many times its text.
    static let longestText = 16 << 10

    private struct Entry {
        var name: String
        var confirmed: Bool
        var lastUse: UInt64
    }

    private let capacity: Int
    private let byteCapacity: Int
    private var entries: [String: Entry] = [:]
    /// Of the texts in `entries`.
    private(set) var bytes = 0
    private var clock: UInt64 = 0

    /// Nothing is prepared.
    static let off = StatementCache(capacity: 0, bytes: 0)

    /// - Parameters:
    ///   - capacity: statements.
    ///   - bytes: of their texts together.
    init(capacity: Int, bytes: Int) {
        self.capacity = capacity
        self.byteCapacity = bytes
    }

    var count: Int { self.entries.count }

    /// How to run one transaction now. `worthPreparing`: the text has been seen before, so that statements that never
    /// come back do not push out those that do.
    mutating func plan(_ texts: [String], worthPreparing: (String) -> Bool) -> Plan {
        let begun = self.clock
        var plan = Plan()
        plan.uses.reserveCapacity(texts.count)
        for text in texts {
            self.clock += 1
            if let index = self.entries.index(forKey: text) {
                self.entries.values[index].lastUse = self.clock
                let entry = self.entries.values[index]
                plan.uses.append(entry.confirmed ? .prepared(name: entry.name) : .unprepared)
            } else if self.capacity > 0, text.utf8.count <= min(Self.longestText, self.byteCapacity),
                worthPreparing(text), self.makeRoom(for: text.utf8.count, &plan.evicted, before: begun)
            {
                let name = Self.name(of: text)
                self.entries[text] = Entry(name: name, confirmed: false, lastUse: self.clock)
                self.bytes += text.utf8.count
                plan.uses.append(.prepare(name: name))
            } else {
                plan.uses.append(.unprepared)
            }
        }
        return plan
    }

    mutating func prepared(_ text: String) { self.entries[text]?.confirmed = true }

    mutating func notPrepared(_ text: String) { self.remove(text) }

    /// 160 bits of the text's SHA-256.
    static func name(of text: String) -> String { "parley_" + SHA256.hex(Array(text.utf8)).prefix(40) }

    /// Takes out the least recently used ones until there is room; never one that the same transaction uses.
    private mutating func makeRoom(for bytes: Int, _ evicted: inout [String], before begun: UInt64) -> Bool {
        while self.entries.count >= self.capacity || self.bytes + bytes > self.byteCapacity {
            let oldest = self.entries.filter { $0.value.confirmed && $0.value.lastUse <= begun }
                .min { $0.value.lastUse < $1.value.lastUse }
            guard let oldest else { return false }
            self.remove(oldest.key)
            evicted.append(oldest.value.name)
        }
        return true
    }

    private mutating func remove(_ text: String) {
        if self.entries.removeValue(forKey: text) != nil { self.bytes -= text.utf8.count }
    }
}
