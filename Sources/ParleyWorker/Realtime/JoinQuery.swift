internal import FoundationEssentials
internal import ParleyCore
internal import PostgresClient

/// The question of a join to the database, and its answer.
enum JoinQuery {
    struct Answer: Sendable {
        /// Nil: not allowed.
        var grant: JoinGrant?
        /// Rows to show first, oldest first.
        var replay: [LogEvent]
        /// What the worker enforces of the user; nil without one.
        var limits: RawJSON?
    }

    /// One snapshot decides, names the position and reads the replay.
    ///
    /// - Parameter withLimits: the limits of the user as well, which are not known yet.
    static func transaction(
        _ question: Authorization, withLimits: Bool, maxReplayRows: Int, timeout: Duration
    ) -> Transaction {
        let role = question.token.role
        let user = question.token.subject?.lowercaseText
        var statements = [
            Statement(
                """
                select j.allowed, j.snapshot::text, j.max_id, j.conversation_ids, j.history_from, d.quiet, \
                d.hides_presence \
                from parley.authorize_join($1, $2::uuid, $3::numeric, $4) j, parley.discretion_of($2::uuid, $4) d
                """,
                [role, user, question.token.issuedAt, question.topic.subTopic])
        ]
        var after: String?
        var since: String?
        var asked = 0
        switch question.replay {
        case .none, .invalid: break
        case .after(let eventSeq, let limit):
            after = String(eventSeq)
            asked = limit
        case .since(let milliseconds, let limit):
            since = String(milliseconds)
            asked = limit
        }
        if asked > 0 {
            statements.append(
                Statement(
                    """
                    select id, xid::text, conversation_id, event_seq, user_id, kind, actor_id, message_id, message_seq, \
                    history_from_seq, payload, revoked \
                    from parley.replay($1, $2::uuid, $3, $4::bigint, \
                    'epoch'::timestamptz + $5::bigint * interval '1 millisecond', $6::int)
                    """,
                    [role, user, question.topic.subTopic, after, since, String(min(asked, maxReplayRows))]))
        }
        if withLimits { statements.append(Statement("select parley.worker_limits($1::uuid)", [user])) }
        return Transaction(statements, mode: .repeatableReadOnly, timeout: timeout, owner: question.token.owner)
    }

    /// - Throws: `JoinRefusal` when the answer does not have the shape of the contract.
    static func answer(
        _ results: [ResultSet], to question: Authorization, withLimits: Bool
    ) throws(JoinRefusal) -> Answer {
        var results = results[...]
        let limits = withLimits ? results.popLast()?.rows.first?[0] : nil
        guard let row = results.first?.rows.first, let allowed = row.bool(0) else { throw .internalError }
        guard allowed else { return Answer(grant: nil, replay: []) }
        guard let text = row.string(1), let snapshot = PgSnapshot(text), let maxID = row.int64(2) else {
            throw .internalError
        }
        let ids = Self.elements(row.string(3)).map { UUID(uuidString: String($0)) }
        let starts = Self.elements(row.string(4)).map { Int64($0) }
        guard ids.count == starts.count else { throw .internalError }
        var conversations: [JoinGrant.Conversation] = []
        for (id, start) in zip(ids, starts) {
            guard let id, let start else { throw .internalError }
            conversations.append(JoinGrant.Conversation(id: id, historyFrom: start))
        }
        if case .conversation(let id) = question.topic, !conversations.contains(where: { $0.id == id }) {
            // Only the service role, which takes no part, may read a conversation without a place in it.
            guard question.token.isService else { throw .internalError }
            conversations = [JoinGrant.Conversation(id: id, historyFrom: 0)]
        }
        let cursor = LogCursor(snapshot: snapshot, maxID: maxID)
        var replay: [LogEvent] = []
        do throws(PostgresError) {
            for row in results.count > 1 ? results[1].rows : [] {
                replay.append(try LogEvent(row, from: 0))
            }
        } catch {
            throw .internalError
        }
        guard let isQuiet = row.bool(5), let hidesPresence = row.bool(6) else { throw .internalError }
        return Answer(
            grant: JoinGrant(
                position: cursor, conversations: conversations, isQuiet: isQuiet, hidesPresence: hidesPresence),
            replay: replay, limits: limits.flatMap { try? RawJSON($0) })
    }

    /// The elements of an array of uuids or numbers in Postgres' text format: none needs quotes.
    private static func elements(_ text: String?) -> [Substring] {
        guard let text, text.hasPrefix("{"), text.hasSuffix("}") else { return [] }
        return text.dropFirst().dropLast().split(separator: ",")
    }
}

extension JoinRefusal {
    /// What a client is told when the database could not decide.
    init(_ error: PostgresError) {
        switch error.code {
        case .queueFull, .ownerQueueFull: self = .poolExhausted
        case .timeout: self = .timedOut
        case .connectFailed, .connectionLost, .shutdown: self = .unavailable
        default:
            if error.sqlState == "57014" {
                self = .timedOut
            } else {
                self = error.isRetriable ? .unavailable : .internalError
            }
        }
    }
}

extension JoinQuery {
    /// Asks the access rule about several topics at once; one result set for each, its first column the answer.
    static func permissions(_ topics: [Topic], _ token: SessionToken, timeout: Duration) -> Transaction {
        let statements = topics.map { topic in
            Statement(
                "select allowed from parley.authorize_join($1, $2::uuid, $3::numeric, $4)",
                [token.role, token.subject?.lowercaseText, token.issuedAt, topic.subTopic])
        }
        return Transaction(statements, mode: .readOnly, timeout: timeout, owner: token.owner)
    }
}
