/// The payload of a `phx_join`, read as leniently as upstream reads it: what has the wrong shape counts as absent, is
/// named in `problems`, and the join goes on.
public struct JoinConfig: Sendable, Equatable {
    /// Answer broadcasts with a `phx_reply`.
    public var acknowledges = false
    /// Send broadcasts back to their sender.
    public var receivesOwn = false
    public var replay = ReplayRequest.none
    /// Nil or empty: the server makes one up.
    public var presenceKey: String?
    public var presenceEnabled = false
    public var isPrivate = false
    /// What the client wants of tables; Parley echoes it and serves none.
    public var postgresChanges: [PostgresChangesRequest] = []
    /// Nil: use the token of the handshake (absent, null, or an opaque `sb_` key). An empty token stays, and is invalid.
    public var accessToken: String?
    /// Members with a wrong shape, by path, for the log. Never their content.
    public var problems: [String] = []

    /// At most so many `postgres_changes` entries are kept; the reply repeats every one of them.
    public static let maxPostgresChanges = 100

    public init() {}

    /// Reads the payload of a join.
    public init(payload: [UInt8]) {
        guard let root = self.members(of: try? RawJSON(payload), "payload", Self.rootKeys) else { return }
        self.accessToken = AccessToken.effective(self.string(root[1], "access_token"))
        if root[1] == nil || root[1]?.isNull == true {
            self.accessToken = AccessToken.effective(self.string(root[2], "user_token"))
        }
        guard let config = self.members(of: root[0], "config", Self.configKeys) else { return }
        if let broadcast = self.members(of: config[0], "config.broadcast", Self.broadcastKeys) {
            self.acknowledges = self.flag(broadcast[0], "config.broadcast.ack")
            self.receivesOwn = self.flag(broadcast[1], "config.broadcast.self")
            self.replay = ReplayRequest(broadcast[2])
        }
        if let presence = self.members(of: config[1], "config.presence", Self.presenceKeys) {
            self.presenceKey = self.key(presence[0])
            self.presenceEnabled = self.flag(presence[1], "config.presence.enabled")
        }
        self.isPrivate = self.flag(config[2], "config.private")
        self.postgresChanges = self.changes(config[3])
    }

    private static let rootKeys: RawJSON.Keys = ["config", "access_token", "user_token"]
    private static let configKeys: RawJSON.Keys = ["broadcast", "presence", "private", "postgres_changes"]
    private static let broadcastKeys: RawJSON.Keys = ["ack", "self", "replay"]
    private static let presenceKeys: RawJSON.Keys = ["key", "enabled"]

    /// Members of an object; nil, and a problem unless the value is absent or null, for anything else.
    private mutating func members(of value: RawJSON?, _ path: String, _ keys: RawJSON.Keys) -> [RawJSON?]? {
        if let found = try? value?.pick(keys, duplicateKeys: .keepLast) { return found }
        if let value, !value.isNull { self.problems.append(path) }
        return nil
    }

    private mutating func string(_ value: RawJSON?, _ path: String) -> String? {
        guard let value, !value.isNull else { return nil }
        if value.kind != .string { self.problems.append(path) }
        return value.string
    }

    /// A bool, or "true" and "false" in any case.
    private mutating func flag(_ value: RawJSON?, _ path: String) -> Bool {
        guard let value, !value.isNull else { return false }
        if let bool = value.bool { return bool }
        switch value.string?.lowercased() {
        case "true": return true
        case "false": return false
        default:
            self.problems.append(path)
            return false
        }
    }

    /// A presence key: a string, or the text of a number or bool.
    private mutating func key(_ value: RawJSON?) -> String? {
        guard let value else { return nil }
        switch value.kind {
        case .string: return value.string.flatMap { $0.isEmpty ? nil : $0 }
        case .number, .bool: return String(decoding: value.bytes, as: UTF8.self)
        case .null: return nil
        case .array, .object:
            self.problems.append("config.presence.key")
            return nil
        }
    }

    private mutating func changes(_ value: RawJSON?) -> [PostgresChangesRequest] {
        guard let value, !value.isNull else { return [] }
        guard let elements = value.elements(limit: Self.maxPostgresChanges + 1) else {
            self.problems.append("config.postgres_changes")
            return []
        }
        let requests = elements.filter { !$0.isNull }.map(PostgresChangesRequest.init)
        if elements.count > Self.maxPostgresChanges || requests.contains(where: { $0 == nil }) {
            self.problems.append("config.postgres_changes")
        }
        return requests.prefix(Self.maxPostgresChanges).compactMap { $0 }
    }

    /// `{"postgres_changes": [...]}`, the `response` of a successful join: every request in order, each with its id.
    /// Clients need the key even when the list is empty.
    public var joinResponse: [UInt8] {
        var writer = JSONWriter()
        writer.raw(#"{"postgres_changes":["#)
        for (index, request) in self.postgresChanges.enumerated() {
            if index > 0 { writer.raw(",") }
            writer.raw(request.echo)
        }
        writer.raw("]}")
        return writer.bytes
    }
}
