/// A `pg_snapshot`: which transactions a statement saw.
///
/// The text form is that of PostgreSQL, `xmin:xmax:xip,xip...`.
public struct PgSnapshot: Sendable, Hashable, CustomStringConvertible {
    /// Everything below had ended.
    public let xmin: UInt64
    /// Everything from here on had not begun to end.
    public let xmax: UInt64
    /// What was in progress between the two, ascending.
    public let xip: [UInt64]

    public init(xmin: UInt64, xmax: UInt64, xip: [UInt64]) {
        self.xmin = xmin
        self.xmax = xmax
        self.xip = xip
    }

    /// Nil unless `text` is a snapshot as PostgreSQL writes it.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let xmin = UInt64(parts[0]), let xmax = UInt64(parts[1]), xmin <= xmax else {
            return nil
        }
        var xip: [UInt64] = []
        for part in parts[2].isEmpty ? [] : parts[2].split(separator: ",", omittingEmptySubsequences: false) {
            guard let id = UInt64(part), id >= xmin, id < xmax, xip.last.map({ $0 < id }) ?? true else { return nil }
            xip.append(id)
        }
        self.init(xmin: xmin, xmax: xmax, xip: xip)
    }

    /// Whether a transaction that committed is visible: `pg_visible_in_snapshot`.
    public func contains(_ transactionID: UInt64) -> Bool {
        if transactionID < self.xmin { return true }
        if transactionID >= self.xmax { return false }
        return !self.isInProgress(transactionID)
    }

    func isInProgress(_ transactionID: UInt64) -> Bool {
        var low = 0
        var high = self.xip.count
        while low < high {
            let middle = (low + high) / 2
            if self.xip[middle] < transactionID { low = middle + 1 } else { high = middle }
        }
        return low < self.xip.count && self.xip[low] == transactionID
    }

    public var description: String {
        "\(self.xmin):\(self.xmax):\(self.xip.map(String.init).joined(separator: ","))"
    }
}
