internal import FoundationEssentials

/// What clients may broadcast: bytes a second of one user and to one topic, over all sockets and HTTP.
///
/// Each broadcast goes to every listener, so a topic has a limit of its own, however many users share it. What a broadcast
/// takes beside its body counts too. The service has no limit as a user.
public struct BroadcastBudget: Sendable {
    public struct Limits: Sendable, Equatable {
        /// 0: no limit.
        public var userBytesPerSecond = 256 << 10
        /// 0: no limit.
        public var topicBytesPerSecond = 512 << 10
        /// What may come at once: so many seconds' worth, and at least some broadcasts of the largest size.
        public var burstSeconds = 2
        public var leastBurst = 1 << 20

        public init() {}
    }

    /// What every broadcast costs beside its body: many small ones are work too.
    static let overhead = 1024

    private let limits: Limits
    private var users: Buckets<UUID>
    private var topics: Buckets<Topic>

    public init(limits: Limits = Limits()) {
        self.limits = limits
        func buckets<Key>(_ rate: Int) -> Buckets<Key> {
            Buckets(rate: rate, burst: max(rate * limits.burstSeconds, limits.leastBurst))
        }
        self.users = buckets(limits.userBytesPerSecond)
        self.topics = buckets(limits.topicBytesPerSecond)
    }

    /// Takes what a broadcast costs, or nothing and answers false.
    ///
    /// - Parameter now: monotonic nanoseconds, of any origin.
    public mutating func take(_ publication: Publication, now: Int64) -> Bool {
        let body =
            switch publication.broadcast.body {
            case .json(let bytes), .binary(let bytes): bytes.count
            }
        let cost = body + Self.overhead
        guard self.topics.has(cost, publication.topic, now: now) else { return false }
        if let user = publication.user {
            guard self.users.has(cost, user, now: now) else { return false }
            self.users.take(cost, user, now: now)
        }
        self.topics.take(cost, publication.topic, now: now)
        return true
    }
}

/// A bucket for each key. Full buckets are forgotten, and as many others as are kept bound the memory: beyond it a new key
/// has to wait.
private struct Buckets<Key: Hashable & Sendable>: Sendable {
    private static var capacity: Int { 65_536 }

    private let fresh: TokenBucket
    private let burst: Int
    private var buckets: [Key: TokenBucket] = [:]
    private var sweptAt = Int64.min

    init(rate: Int, burst: Int) {
        self.fresh = TokenBucket(rate: rate > 0 ? Double(rate) : .infinity, burst: burst)
        self.burst = burst
    }

    mutating func has(_ count: Int, _ key: Key, now: Int64) -> Bool {
        if let bucket = self.buckets[key] { return bucket.wait(for: count, now: now) == 0 }
        self.sweep(now: now)
        return count <= self.burst && self.buckets.count < Self.capacity
    }

    mutating func take(_ count: Int, _ key: Key, now: Int64) {
        _ = self.buckets[key, default: self.fresh].take(count, now: now)
    }

    /// Once a second at most: it looks at all.
    private mutating func sweep(now: Int64) {
        guard self.buckets.count >= 1024, self.sweptAt == .min || now - self.sweptAt >= 1_000_000_000 else { return }
        self.sweptAt = now
        self.buckets = self.buckets.filter { $0.value.wait(for: self.burst, now: now) > 0 }
    }
}
