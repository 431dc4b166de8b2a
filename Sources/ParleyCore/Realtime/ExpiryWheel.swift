/// One timer for all connections: due times hashed into one-second slots.
///
/// An entry holds no due time of its own. When its slot comes round the owner is asked for the current one, so a token
/// refresh or a leave needs no search here, and a forgotten entry lives for one turn at most.
public struct ExpiryWheel<Key: Sendable & Hashable>: Sendable {
    private static var slots: Int { 64 }

    private var wheel: [Set<Key>] = Array(repeating: [], count: Self.slots)
    /// The last second that was handled.
    private var now: Int64

    /// - Parameter now: the current time in Unix seconds.
    public init(now: Int64) { self.now = now }

    /// How many entries are kept, stale ones included.
    public var count: Int { self.wheel.reduce(0) { $0 + $1.count } }

    /// Asks for `key` to be reported once `second` has come; a time already past means the next second.
    public mutating func insert(_ key: Key, at second: Int64) {
        let slot = Self.slot(of: max(second, self.now + 1))
        self.wheel[slot].insert(key)
    }

    /// Reports every entry that is due by `second`.
    ///
    /// - Parameters:
    ///   - second: the current time in Unix seconds. A clock that jumps ahead handles every slot once.
    ///   - due: the current due time of an entry, or nil if it is not needed any more.
    public mutating func advance(to second: Int64, due: (Key) -> Int64?) -> [Key] {
        guard second > self.now else {
            // A clock set back: go on from there, the entries are asked for their times anyway.
            self.now = second
            return []
        }
        var fired: [Key] = []
        var moved: [(Key, Int64)] = []
        let first = max(self.now + 1, second - Int64(Self.slots) + 1)
        self.now = second
        for step in first...second {
            let slot = Self.slot(of: step)
            guard !self.wheel[slot].isEmpty else { continue }
            self.wheel[slot] = self.wheel[slot].filter { key in
                guard let time = due(key) else { return false }
                if time <= second {
                    fired.append(key)
                    return false
                }
                if Self.slot(of: time) == slot { return true }
                moved.append((key, time))
                return false
            }
        }
        for (key, time) in moved { self.insert(key, at: time) }
        return fired
    }

    private static func slot(of second: Int64) -> Int { Int(second & Int64(Self.slots - 1)) }
}
