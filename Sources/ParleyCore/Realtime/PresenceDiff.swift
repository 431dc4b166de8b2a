/// One presence of one member: what it tracked, and the reference that clients tell presences apart by.
public struct PresenceMeta: Sendable, Equatable {
    public let ref: String
    /// The reference it replaces, in the diff of an update only.
    public var previousRef: String?
    /// The user's fields, without `phx_ref` and `phx_ref_prev`.
    public let fields: JSONObject

    func write(to writer: inout JSONWriter) {
        writer.raw(#"{"phx_ref":"#)
        writer.string(self.ref)
        if let previous = self.previousRef {
            writer.raw(#","phx_ref_prev":"#)
            writer.string(previous)
        }
        for member in self.fields.members {
            writer.byte(UInt8(ascii: ","))
            writer.string(member.key)
            writer.byte(UInt8(ascii: ":"))
            writer.value(member.value)
        }
        writer.byte(UInt8(ascii: "}"))
    }
}

/// Who came and who went in one topic.
public struct PresenceDiff: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        public let key: String
        public let meta: PresenceMeta
    }

    /// In the order they happened.
    public private(set) var joins: [Entry] = []
    public private(set) var leaves: [Entry] = []

    public init() {}

    init(joins: [Entry], leaves: [Entry]) {
        self.joins = joins
        self.leaves = leaves
    }

    public var isEmpty: Bool { self.joins.isEmpty && self.leaves.isEmpty }

    /// Adds what happened afterwards, so that a burst goes out as one message. A presence that came and went within
    /// the burst appears in neither list.
    public mutating func merge(_ later: PresenceDiff) {
        for leave in later.leaves {
            let undone = self.joins.lastIndex { $0.key.isSpelled(leave.key) && $0.meta.ref == leave.meta.ref }
            if let index = undone {
                self.joins.remove(at: index)
            } else {
                self.leaves.append(leave)
            }
        }
        self.joins.append(contentsOf: later.joins)
    }

    /// `{"joins":{key:{"metas":[...]}},"leaves":{...}}`
    public func json() -> [UInt8] {
        var writer = JSONWriter()
        writer.raw(#"{"joins":"#)
        Self.write(self.joins, to: &writer)
        writer.raw(#","leaves":"#)
        Self.write(self.leaves, to: &writer)
        writer.raw("}")
        return writer.bytes
    }

    /// `{key:{"metas":[...]}}`, keys in the order of their first entry.
    static func write(_ entries: [Entry], to writer: inout JSONWriter) {
        var places: [ExactString: Int] = [:]
        var groups: [(key: String, metas: [PresenceMeta])] = []
        for entry in entries {
            if let place = places[ExactString(entry.key)] {
                groups[place].metas.append(entry.meta)
            } else {
                places[ExactString(entry.key)] = groups.count
                groups.append((entry.key, [entry.meta]))
            }
        }
        writer.raw("{")
        for (index, group) in groups.enumerated() {
            if index > 0 { writer.raw(",") }
            writer.string(group.key)
            writer.raw(#":{"metas":["#)
            for (index, meta) in group.metas.enumerated() {
                if index > 0 { writer.raw(",") }
                meta.write(to: &writer)
            }
            writer.raw("]}")
        }
        writer.raw("}")
    }
}
