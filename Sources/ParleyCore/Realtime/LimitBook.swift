public import FoundationEssentials

/// What every user may do of what no row is written for, and how much of it is left: requests and receipts at one worker.
///
/// A user of whom nothing is known yet passes, and is asked about. What was used up stays used up when the limits change.
/// A user with a socket is kept: the window of their plan is asked for with every old message, and an unknown one hides
/// nothing. Of the others the number is bounded, and those whose buckets are full are forgotten first.
public struct LimitBook: Sendable {
    /// What counts against which limit.
    public enum Kind: Sendable, Equatable {
        case request
        case receipt

        /// By the function of the API: receipts are many by their nature.
        public init(function: String) {
            self = Self.receipts.contains(function) ? .receipt : .request
        }

        private static let receipts: Set<String> = ["mark_as_read", "mark_message_as_read", "mark_as_delivered"]
    }

    /// Whether something may happen now.
    public enum Verdict: Sendable, Equatable {
        case allowed
        /// Allowed, and the limits of the user are to be asked for.
        case unknown
        case refused(Refusal)
    }

    public struct Refusal: Error, Sendable, Equatable {
        public var kind: Kind
        public var rate: UserLimits.Rate
        /// Until the same may be allowed.
        public var seconds: Int64

        public init(kind: Kind, rate: UserLimits.Rate, seconds: Int64) {
            self.kind = kind
            self.rate = rate
            self.seconds = seconds
        }
    }

    private struct Entry: Sendable {
        var limits: UserLimits?
        var isAsked = false
        /// Not asked about again before, after an answer that did not come.
        var askAfter = Int64.min
        var hasSocket = false
        /// The generation of a question of the worker's own that is under way.
        var awaited: UInt64?
        /// The generation of what is known; later than an answer that was asked for before.
        var learnedAt: UInt64
        var requests = TokenBucket(rate: .infinity, burst: 1)
        var receipts = TokenBucket(rate: .infinity, burst: 1)
    }

    /// Nanoseconds after which a question that was not answered is asked again.
    private static let patience: Int64 = 10_000_000_000
    private let capacity: Int
    private var users: [UUID: Entry] = [:]
    private var usersWithSocket = 0
    /// Counts what was learned, so that an answer does not undo what came after its question.
    public private(set) var generation: UInt64 = 0

    /// - Parameter capacity: users without a socket; the server bounds the sockets.
    public init(capacity: Int = 65_536) { self.capacity = capacity }

    /// Users of whom anything is kept.
    public var count: Int { self.users.count }

    /// The limits of a user; nil when they are not known.
    public func limits(of user: UUID) -> UserLimits? { self.users[user]?.limits }

    /// Whether anything is kept of a user: their limits, or that they are asked for.
    public func knows(_ user: UUID) -> Bool { self.users[user] != nil }

    /// Whether the limits of a user are not known, or may be others now.
    public func doubts(_ user: UUID) -> Bool {
        guard let entry = self.users[user] else { return true }
        return entry.limits == nil || !entry.isAsked
    }

    /// Begins a question about a user whose limits are in doubt; nil: they are known. From then on the user is known here,
    /// so that what the log says meanwhile is noted, and outdates the answer.
    ///
    /// - Returns: for ``learn(_:of:asked:now:)``.
    public mutating func question(of user: UUID, now: Int64) -> UInt64? {
        guard self.doubts(user) else { return nil }
        self.admit(user, now: now)
        return self.generation
    }

    /// Keeps a user while they have a socket.
    public mutating func keep(_ user: UUID, now: Int64) {
        self.admit(user, now: now)
        guard self.users[user]?.hasSocket == false else { return }
        self.users[user]?.hasSocket = true
        self.usersWithSocket += 1
    }

    /// The last socket of a user is gone.
    public mutating func release(_ user: UUID) {
        guard self.users[user]?.hasSocket == true else { return }
        self.users[user]?.hasSocket = false
        self.usersWithSocket -= 1
    }

    /// Begins a question of the worker's own about a user, which is always answered; in doubt or not.
    public mutating func awaitAnswer(about user: UUID, now: Int64) {
        self.admit(user, now: now)
        self.users[user]?.awaited = self.generation
    }

    /// Whether such a question is under way whose answer will not be out of date.
    public func awaitsAnswer(about user: UUID) -> Bool {
        guard let entry = self.users[user], let awaited = entry.awaited else { return false }
        return awaited >= entry.learnedAt
    }

    /// Takes one request or receipt of a user, or says how long to wait.
    ///
    /// - Parameter now: monotonic nanoseconds.
    public mutating func take(_ kind: Kind, of user: UUID, now: Int64) -> Verdict {
        guard var entry = self.users[user], let limits = entry.limits else {
            if let known = self.users[user], known.isAsked || now < known.askAfter { return .allowed }
            self.admit(user, now: now)
            return self.askAgain(user)
        }
        let path: WritableKeyPath<Entry, TokenBucket> = kind == .request ? \.requests : \.receipts
        let rate = kind == .request ? limits.requests : limits.receipts
        let isTaken = entry[keyPath: path].take(now: now)
        self.users[user] = entry
        // Also one that would be refused: of a limit of nothing no other request would ever ask.
        if !entry.isAsked, now >= entry.askAfter { return self.askAgain(user) }
        if isTaken { return .allowed }
        let wait = entry[keyPath: path].wait(now: now)
        let seconds = wait == .max ? rate.periodSeconds : max(1, (wait + 999_999_999) / 1_000_000_000)
        return .refused(Refusal(kind: kind, rate: rate, seconds: seconds))
    }

    /// Notes the limits of a user from now on; nil: they could not be had, and are asked for again.
    ///
    /// An answer that was outdated while it came is better than none, and stays in doubt.
    ///
    /// - Parameter question: ``generation`` when it was asked; nil for what the log says.
    public mutating func learn(_ limits: UserLimits?, of user: UUID, asked question: UInt64? = nil, now: Int64) {
        let known = self.users[user]
        // Of a user who was forgotten meanwhile nobody knows what came after the question.
        if question != nil, known == nil { return }
        let isOutdated = question.map { (known?.learnedAt ?? 0) > $0 } ?? false
        if isOutdated, known?.limits != nil { return }
        guard let limits else {
            self.users[user]?.isAsked = false
            self.users[user]?.awaited = nil
            self.users[user]?.askAfter = now + Self.patience
            return
        }
        self.admit(user, now: now)
        guard var entry = self.users[user] else { return }
        if !isOutdated {
            entry.isAsked = true
            self.generation += 1
            entry.learnedAt = self.generation
        }
        entry.requests.configure(rate: limits.requests.perSecond, burst: limits.requests.capacity)
        entry.receipts.configure(rate: limits.receipts.perSecond, burst: limits.receipts.capacity)
        entry.limits = limits
        self.users[user] = entry
    }

    /// All limits may be others now: they hold until they are known, and each user is asked about at their next request.
    /// An answer to a question of before says nothing any more.
    public mutating func doubt() {
        self.generation += 1
        for user in self.users.keys {
            self.users[user]?.isAsked = false
            self.users[user]?.learnedAt = self.generation
        }
    }

    private mutating func askAgain(_ user: UUID) -> Verdict {
        self.users[user]?.isAsked = true
        return .unknown
    }

    private mutating func admit(_ user: UUID, now: Int64) {
        guard self.users[user] == nil else { return }
        self.makeRoom(now: now)
        // An answer to a question of before it was forgotten is out of date.
        self.generation += 1
        self.users[user] = Entry(learnedAt: self.generation)
    }

    private mutating func makeRoom(now: Int64) {
        guard self.users.count - self.usersWithSocket >= self.capacity else { return }
        self.users = self.users.filter { _, entry in
            if entry.hasSocket { return true }
            guard let limits = entry.limits else { return entry.isAsked }
            return entry.requests.wait(for: limits.requests.capacity, now: now) > 0
                || entry.receipts.wait(for: limits.receipts.capacity, now: now) > 0
        }
        while self.users.count - self.usersWithSocket >= self.capacity,
            let user = self.users.first(where: { !$0.value.hasSocket })?.key
        { self.users[user] = nil }
    }
}
