/// Counts what waits, in total and for each owner, and refuses what is too much. No I/O.
struct PoolAdmission {
    /// What one transaction takes of the queue.
    struct Share: Sendable {
        var owner: String?
        var bytes: Int
    }

    private struct Load {
        var count = 0
        var bytes = 0

        /// The bound on bytes is for company: what stands alone is let in, however large.
        func hasRoom(for bytes: Int, count: Int, bytes most: Int) -> Bool {
            self.count == 0 || (self.count < count && self.bytes + bytes <= most)
        }
    }

    private let limits: PoolLimits
    private var total = Load()
    private var owners: [String: Load] = [:]

    init(_ limits: PoolLimits) { self.limits = limits }

    mutating func admit(_ share: Share) -> PostgresError? {
        guard
            self.total.hasRoom(for: share.bytes, count: self.limits.queued, bytes: self.limits.queuedBytes)
        else { return PostgresError(.queueFull, message: "too many transactions are waiting") }
        if let owner = share.owner {
            var load = self.owners[owner] ?? Load()
            guard
                load.hasRoom(
                    for: share.bytes, count: self.limits.queuedPerOwner, bytes: self.limits.queuedBytesPerOwner)
            else {
                return PostgresError(.ownerQueueFull, message: "too many transactions of one owner are waiting")
            }
            load.count += 1
            load.bytes += share.bytes
            self.owners[owner] = load
        }
        self.total.count += 1
        self.total.bytes += share.bytes
        return nil
    }

    /// It waits no longer: sent, or given up.
    mutating func release(_ share: Share) {
        self.total.count -= 1
        self.total.bytes -= share.bytes
        guard let owner = share.owner, var load = self.owners[owner] else { return }
        load.count -= 1
        load.bytes -= share.bytes
        self.owners[owner] = load.count == 0 ? nil : load
    }
}
