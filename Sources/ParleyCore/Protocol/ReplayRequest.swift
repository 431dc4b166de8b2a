/// `config.broadcast.replay` of a join: which past events to send before live ones.
public enum ReplayRequest: Sendable, Hashable {
    /// Absent or null.
    case none
    /// Ours: `{"after": <event_seq>, "limit": n}`, events with a higher `event_seq`.
    case after(eventSeq: Int64, limit: Int)
    /// Upstream's: `{"since": <milliseconds since 1970>, "limit": n}`.
    case since(milliseconds: Int64, limit: Int)
    /// Refuse the join with ``ProtocolText/Join/invalidReplay``.
    case invalid

    /// Limit if the client names none, and the highest that it gets; it pages for the rest.
    public static let maxLimit = 1000

    private static let keys: RawJSON.Keys = ["after", "since", "limit"]
    /// The end of year 9999: later times do not fit every date format on the way.
    private static let lastMillisecond: Int64 = 253_402_300_799_999

    /// `after` wins over `since`. Numbers must be written as integers; the limit is brought into 1...``maxLimit``,
    /// negative positions become 0.
    init(_ value: RawJSON?) {
        self = .none
        guard let value, !value.isNull else { return }
        self = .invalid
        guard let found = try? value.pick(Self.keys) else { return }
        var limit = Self.maxLimit
        if let given = found[2], !given.isNull {
            guard let number = given.int64 else { return }
            limit = Int(min(max(number, 1), Int64(Self.maxLimit)))
        }
        if let after = found[0], !after.isNull {
            guard let seq = after.int64, seq < .max else { return }
            self = .after(eventSeq: max(seq, 0), limit: limit)
        } else if let since = found[1]?.int64 {
            self = .since(milliseconds: min(max(since, 0), Self.lastMillisecond), limit: limit)
        }
    }
}
