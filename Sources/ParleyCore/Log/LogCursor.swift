/// A position in the log: what a statement saw, and the highest id it saw.
///
/// The snapshot alone would lose rows after a crash, when a transaction id is used again; the id alone would lose rows
/// that commit out of order.
public struct LogCursor: Sendable, Hashable {
    public var snapshot: PgSnapshot
    public var maxID: Int64

    public init(snapshot: PgSnapshot, maxID: Int64) {
        self.snapshot = snapshot
        self.maxID = maxID
    }

    /// Whether a committed row of the log is part of what was seen.
    public func contains(id: Int64, transactionID: UInt64) -> Bool {
        id <= self.maxID && self.snapshot.contains(transactionID)
    }

    /// Whether nothing that `other` contains can be missing here.
    public func covers(_ other: LogCursor) -> Bool {
        guard self.maxID >= other.maxID, self.snapshot.xmax >= other.snapshot.xmax else { return false }
        return self.snapshot.xip.allSatisfy { $0 >= other.snapshot.xmax || other.snapshot.isInProgress($0) }
    }
}
