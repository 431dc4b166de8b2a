/// The limits of one user that a worker enforces by itself, as `parley.worker_limits` shows them.
public struct UserLimits: Sendable, Equatable {
    /// So many in a period, and so many at once. Nil amount: unlimited.
    public struct Rate: Sendable, Equatable {
        public var amount: Int64?
        public var periodSeconds: Int64
        public var burst: Int64?

        public init(amount: Int64?, periodSeconds: Int64, burst: Int64?) {
            self.amount = amount
            self.periodSeconds = periodSeconds
            self.burst = burst
        }

        /// Tokens a second; infinite for unlimited.
        var perSecond: Double {
            guard let amount = self.amount else { return .infinity }
            return Double(amount) / Double(max(1, self.periodSeconds))
        }

        /// Tokens of a full bucket.
        var capacity: Int { Int(clamping: self.burst ?? self.amount ?? 1) }
    }

    public var requests: Rate
    public var receipts: Rate
    /// Nil: unlimited.
    public var maxConnections: Int64?
    /// How many days back the user sees. Nil: all.
    public var retentionDays: Int64?

    public init(requests: Rate, receipts: Rate, maxConnections: Int64?, retentionDays: Int64?) {
        self.requests = requests
        self.receipts = receipts
        self.maxConnections = maxConnections
        self.retentionDays = retentionDays
    }

    /// Reads the object of limits by name; nil when it is not what the contract says.
    public init?(_ json: RawJSON?) {
        guard let requests = Self.rate(json?["requests_per_minute"]),
            let receipts = Self.rate(json?["receipts_per_minute"]),
            let connections = json?["max_connections"], let retention = json?["retention_days"]
        else { return nil }
        self.init(
            requests: requests, receipts: receipts, maxConnections: connections["amount"]?.int64,
            retentionDays: retention["amount"]?.int64)
    }

    private static func rate(_ json: RawJSON?) -> Rate? {
        guard let json, let period = json["period_seconds"]?.int64 else { return nil }
        return Rate(amount: json["amount"]?.int64, periodSeconds: period, burst: json["burst"]?.int64)
    }
}
