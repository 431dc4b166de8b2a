public import FoundationEssentials

/// Who is present in one topic. Each member (one socket in one channel) holds at most one presence, under its key;
/// several members may share a key, as the devices of one user do.
public struct PresenceTable: Sendable {
    /// A socket's membership in the channel; unique within the table.
    public typealias MemberID = UInt64

    /// Bounds of what one topic remembers.
    public struct Limits: Sendable {
        /// Serialized size of the fields of one presence, in bytes.
        public var maxFieldBytes: Int
        /// Members with a presence.
        public var maxMembers: Int
        /// Of them those of one user.
        public var maxOfUser: Int
        /// Length of a key in bytes.
        public var maxKeyBytes: Int

        /// All presences together, in about as many bytes as their state takes on the wire: well below what may wait for
        /// one socket, or nobody could join any more.
        public var maxTotalBytes: Int

        public init(
            maxFieldBytes: Int = 4096, maxMembers: Int = 10_000, maxOfUser: Int = 16, maxKeyBytes: Int = 255,
            maxTotalBytes: Int = 1 << 20
        ) {
            self.maxFieldBytes = maxFieldBytes
            self.maxMembers = maxMembers
            self.maxOfUser = maxOfUser
            self.maxKeyBytes = maxKeyBytes
            self.maxTotalBytes = maxTotalBytes
        }
    }

    /// What the channel does after a track.
    public enum TrackAction: Sendable, Equatable {
        /// Reply ok; nobody else learns of it.
        case unchanged
        /// Reply ok and send the diff to every member, the tracker included.
        case changed(PresenceDiff)
        /// Fields too large: `system` error ``ProtocolText/System/presenceTooLarge``, then close the channel.
        case tooLarge
        /// The topic is full, the user has enough presences there, or the key is too long: reply with an error.
        case refused
    }

    private struct Presence {
        var user: UUID?
        var key: String
        var meta: PresenceMeta
        var order: UInt64
        var bytes: Int

        /// What a presence takes on the wire beyond its key and fields.
        static let overhead = 48
    }

    private let limits: Limits
    private var presences: [MemberID: Presence] = [:]
    /// How many presences each user has.
    private var counts: [UUID: Int] = [:]
    private var nextOrder: UInt64 = 0
    private var bytes = 0

    public init(limits: Limits = Limits()) { self.limits = limits }

    /// Members with a presence.
    public var count: Int { self.presences.count }

    public var isEmpty: Bool { self.presences.isEmpty }

    /// A client tracked `fields`.
    ///
    /// - Parameters:
    ///   - user: whose presence it is; nil for the service, which has no share.
    ///   - ref: the `phx_ref` if this is a new presence; unique in the server's life, see ``PresenceRefs``.
    public mutating func track(
        member: MemberID, user: UUID? = nil, key: String, fields: JSONObject, ref: String
    ) -> TrackAction {
        var fields = fields
        fields["phx_ref"] = nil
        fields["phx_ref_prev"] = nil
        let fieldBytes = fields.serialized().count
        guard fieldBytes <= self.limits.maxFieldBytes else { return .tooLarge }
        guard key.utf8.count <= self.limits.maxKeyBytes else { return .refused }
        let old = self.presences[member]
        if let old, old.key.isSpelled(key), old.meta.fields == fields { return .unchanged }
        guard old != nil || self.presences.count < self.limits.maxMembers else { return .refused }
        if old == nil, let user, self.counts[user, default: 0] >= self.limits.maxOfUser { return .refused }

        let bytes = fieldBytes + key.utf8.count + Presence.overhead
        let total = self.bytes - (old?.bytes ?? 0) + bytes
        guard total <= self.limits.maxTotalBytes else { return .refused }
        self.bytes = total
        let meta = PresenceMeta(ref: ref, fields: fields)
        self.presences[member] = Presence(
            user: old?.user ?? user, key: key, meta: meta, order: old?.order ?? self.nextOrder, bytes: bytes)
        if old == nil {
            self.nextOrder += 1
            if let user { self.counts[user, default: 0] += 1 }
        }
        var joined = meta
        if let old, old.key.isSpelled(key) { joined.previousRef = old.meta.ref }
        return .changed(
            PresenceDiff(
                joins: [PresenceDiff.Entry(key: key, meta: joined)],
                leaves: old.map { [PresenceDiff.Entry(key: $0.key, meta: $0.meta)] } ?? []))
    }

    /// Whose presence it is; nil for the service, and for nobody.
    public func user(of member: MemberID) -> UUID? { self.presences[member]?.user }

    /// A client untracked, left the channel, or its socket is gone. Nil if it was not present.
    public mutating func remove(member: MemberID) -> PresenceDiff? {
        guard let old = self.presences.removeValue(forKey: member) else { return nil }
        self.bytes -= old.bytes
        if let user = old.user, let count = self.counts[user] { self.counts[user] = count > 1 ? count - 1 : nil }
        return PresenceDiff(joins: [], leaves: [PresenceDiff.Entry(key: old.key, meta: old.meta)])
    }

    /// `{key:{"metas":[{"phx_ref":...,fields}]}}`, oldest first: the payload of `presence_state`.
    ///
    /// - Parameter isShown: which users the reader may see; nil is the service.
    public func stateJSON(of isShown: (UUID?) -> Bool = { _ in true }) -> [UInt8] {
        var writer = JSONWriter()
        PresenceDiff.write(self.entries(of: isShown), to: &writer)
        return writer.bytes
    }

    /// Those users coming, or going, for somebody to whom they were not shown before, or no longer are.
    public func diff(appearing: Bool, of isMeant: (UUID?) -> Bool) -> PresenceDiff? {
        let entries = self.entries(of: isMeant)
        guard !entries.isEmpty else { return nil }
        return appearing ? PresenceDiff(joins: entries, leaves: []) : PresenceDiff(joins: [], leaves: entries)
    }

    private func entries(of isMeant: (UUID?) -> Bool) -> [PresenceDiff.Entry] {
        self.presences.values.filter { isMeant($0.user) }.sorted { $0.order < $1.order }
            .map { PresenceDiff.Entry(key: $0.key, meta: $0.meta) }
    }
}

/// Makes `phx_ref` values: a prefix chosen at start, so that restarts do not repeat them, and a counter.
public struct PresenceRefs: Sendable {
    private let prefix: String
    private var counter: UInt64 = 0

    /// - Parameter seed: random, or the id of the worker's run.
    public init(seed: UInt64) { self.prefix = "F" + String(seed, radix: 36) + "-" }

    public mutating func next() -> String {
        self.counter += 1
        return self.prefix + String(self.counter, radix: 36)
    }
}
