internal import FoundationEssentials
internal import ParleyCore
internal import PostgresClient
internal import Support

/// The ``LimitBook`` of this worker, shared by HTTP and sockets, and the questions that fill it.
///
/// The limits of a user come with each join and with `entitlements:changed`, at its position in the log. For a user
/// without a socket they are asked for once, with the first request, which does not wait for the answer.
final class UserLimiter: Sendable {
    private let pool: PostgresPool
    private let log: Log
    private let book = Locked(LimitBook())

    init(pool: PostgresPool, log: Log) {
        self.pool = pool
        self.log = log
    }

    /// Counts one; nil: it may happen.
    func refusal(_ kind: LimitBook.Kind, of user: UUID?) -> APIError? {
        guard let user else { return nil }
        switch self.book.withLock({ $0.take(kind, of: user, now: Clock.steadyNanoseconds()) }) {
        case .allowed: return nil
        case .unknown:
            self.ask([user])
            return nil
        case .refused(let refusal): return APIError(refusal)
        }
    }

    func limits(of user: UUID) -> UserLimits? { self.book.withLock { $0.limits(of: user) } }

    /// Whether the limits of a user are known, or are being asked for.
    func knows(_ user: UUID) -> Bool { self.book.withLock { $0.knows(user) } }

    /// Whether a user is in doubt, and no question is under way that their sockets can count on.
    func isToAsk(_ user: UUID) -> Bool { self.book.withLock { $0.doubts(user) && !$0.awaitsAnswer(about: user) } }

    /// Keeps what is known of a user who has a socket now.
    func keep(_ user: UUID) { self.book.withLock { $0.keep(user, now: Clock.steadyNanoseconds()) } }

    /// The last socket of a user is gone.
    func release(_ user: UUID) { self.book.withLock { $0.release(user) } }

    /// Begins a question of somebody else's about a user; nil: there is no need.
    func question(of user: UUID) -> UInt64? {
        self.book.withLock { $0.question(of: user, now: Clock.steadyNanoseconds()) }
    }

    /// Notes what the database said of a user.
    @discardableResult
    func learn(_ json: RawJSON?, of user: UUID, asked question: UInt64? = nil) -> UserLimits? {
        let limits = UserLimits(json)
        if limits == nil { self.log.error("the limits of a user are out of contract") }
        self.book.withLock { $0.learn(limits, of: user, asked: question, now: Clock.steadyNanoseconds()) }
        return limits
    }

    /// Rows of limits changed: users are asked about again, those with sockets at once.
    func doubt() { self.book.withLock { $0.doubt() } }

    /// Asks for the limits of users; `learned` is called for each, on any thread; without it sockets do not count on the answer.
    func ask(_ users: [UUID], _ learned: (@Sendable (UUID, UserLimits) -> Void)? = nil) {
        let question = self.book.withLock { book in
            for user in users {
                let now = Clock.steadyNanoseconds()
                if learned == nil {
                    _ = book.question(of: user, now: now)
                } else {
                    book.awaitAnswer(about: user, now: now)
                }
            }
            return book.generation
        }
        let statement = Statement(
            "select u.id, parley.worker_limits(u.id) from unnest($1::uuid[]) as u (id)",
            ["{" + users.map(\.lowercaseText).joined(separator: ",") + "}"])
        self.pool.submit(Transaction([statement], mode: .readOnly)) { result in
            var missing = Set(users)
            switch result {
            case .failure(let error):
                self.log.warning("the limits of users could not be read", [("code", "\(error.code)")])
            case .success(let results):
                for row in results.first?.rows ?? [] {
                    guard let user = row.string(0).flatMap(UUID.init(text:)) else { continue }
                    missing.remove(user)
                    let json = row[1].flatMap { try? RawJSON($0) }
                    if let limits = self.learn(json, of: user, asked: question) { learned?(user, limits) }
                }
            }
            guard !missing.isEmpty else { return }
            self.book.withLock { book in
                for user in missing { book.learn(nil, of: user, now: Clock.steadyNanoseconds()) }
            }
        }
    }
}

extension APIError {
    /// In the words of the database, which refuses what it counts itself.
    init(_ refusal: LimitBook.Refusal) {
        let (name, unit) =
            switch refusal.kind {
            case .request: ("requests_per_minute", "requests")
            case .receipt: ("receipts_per_minute", "receipts")
            }
        let period =
            switch refusal.rate.periodSeconds {
            case 60: "a minute"
            case 3600: "an hour"
            case 86400: "a day"
            default: "in \(refusal.rate.periodSeconds) seconds"
            }
        self.init(
            status: 429, code: .init("PT429"), message: "Too many requests: the limit of this plan is reached.",
            details: "Retry-After: \(refusal.seconds)",
            hint: "This plan allows \(refusal.rate.amount ?? 0) \(unit) \(period): see \(name) in get_entitlements().",
            headers: [HeaderField("Retry-After", String(refusal.seconds))])
    }
}
