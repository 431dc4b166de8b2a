public import FoundationEssentials

/// Says what a socket's user looks at: a conversation, or with none the app as a whole.
public struct Focus: Sendable, Equatable {
    public var user: UUID
    public var conversation: UUID?
    /// False: no longer in front.
    public var isActive: Bool

    public init(user: UUID, conversation: UUID?, isActive: Bool) {
        self.user = user
        self.conversation = conversation
        self.isActive = isActive
    }
}

/// What the users of this worker's sockets look at, one lease for each socket, to be written in batches: push waits a
/// little for somebody who reads on another device.
///
/// A lease lives in the database for half a minute from its last renewal, so what is lost here mends itself.
public struct FocusTable: Sendable {
    public struct Lease: Sendable, Equatable {
        public var id: UUID
        public var focus: Focus
    }

    private struct Entry {
        var lease: Lease
        var isWritten = false
        var writtenAt: Int64 = 0
    }

    /// A lease that says the same is written again after so many nanoseconds.
    private static let renewal: Int64 = 10_000_000_000

    private let capacity: Int
    private var entries: [UInt32: Entry] = [:]
    /// The slots whose leases are to be written.
    private var news: Set<UInt32> = []
    private var ended: [Lease] = []

    /// - Parameter capacity: leases that end and wait to be written at most; others run out by themselves.
    public init(capacity: Int = 10_000) { self.capacity = capacity }

    /// Leases of open sockets.
    public var count: Int { self.entries.count }

    /// A client said so. - Parameter now: monotonic nanoseconds, of any origin.
    public mutating func set(_ focus: Focus, of slot: UInt32, now: Int64, id: () -> UUID = { UUID() }) {
        guard focus.isActive else { return self.drop(slot) }
        if let entry = self.entries[slot], entry.lease.focus.user != focus.user { self.drop(slot) }
        var entry = self.entries[slot] ?? Entry(lease: Lease(id: id(), focus: focus))
        if !entry.isWritten || entry.lease.focus != focus || now - entry.writtenAt >= Self.renewal {
            self.news.insert(slot)
        }
        entry.lease.focus = focus
        self.entries[slot] = entry
    }

    /// The socket is gone, or its user looks elsewhere.
    public mutating func drop(_ slot: UInt32) {
        self.news.remove(slot)
        guard var entry = self.entries.removeValue(forKey: slot), entry.isWritten, self.ended.count < self.capacity
        else { return }
        entry.lease.focus.isActive = false
        self.ended.append(entry.lease)
    }

    /// What is to be written now, at most so many leases.
    public mutating func batch(_ most: Int, now: Int64) -> [Lease] {
        var batch = Array(self.ended.prefix(most))
        self.ended.removeFirst(batch.count)
        for slot in self.news.prefix(most - batch.count) {
            self.news.remove(slot)
            guard let lease = self.entries[slot]?.lease else { continue }
            self.entries[slot]?.isWritten = true
            self.entries[slot]?.writtenAt = now
            batch.append(lease)
        }
        return batch
    }
}
