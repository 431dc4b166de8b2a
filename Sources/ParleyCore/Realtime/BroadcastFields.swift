internal import FoundationEssentials

/// The fields of a broadcast with a meaning of its own, their values as the client wrote them. Null counts as absent; other
/// fields are ignored.
struct BroadcastFields {
    /// The fields wanted, in their own spelling; `messageId` is taken for `message_id`. Those of sends are
    /// written down once: to spell them costs more than to read the payload.
    struct Names: Sendable, ExpressibleByArrayLiteral {
        let names: [String]
        let keys: RawJSON.Keys

        init(_ names: [String]) {
            self.names = names + ["conversation_id"]
            self.keys = RawJSON.Keys(self.names + self.names.map(BroadcastFields.camelCase))
        }

        init(arrayLiteral elements: String...) { self.init(elements) }
    }

    /// What they are about, if that is known.
    let conversation: UUID?
    private var members: [String: RawJSON]

    /// - Parameter conversation: the one of the channel; nil where the client says it.
    init(_ broadcast: ClientBroadcast, conversation: UUID?, known: Names) throws(BroadcastRefusal) {
        let names = known.names
        guard case .json(let bytes) = broadcast.body,
            let found = try? RawJSON.pick(known.keys, from: bytes, duplicateKeys: .keepLast)
        else { throw .argument("payload", "an object") }
        var members: [String: RawJSON] = [:]
        for (place, value) in found.enumerated() {
            guard let value, !value.isNull else { continue }
            members[names[place % names.count]] = value
        }
        // The channel says which conversation; a client that says it too must mean the same.
        if let named = members.removeValue(forKey: "conversation_id") {
            let id = named.string.flatMap(UUID.init(uuidString:))
            if conversation != nil, id != conversation {
                throw .argument("conversation_id", "the conversation of the channel")
            }
            guard let id else { throw .argument("conversation_id", "a uuid") }
            self.conversation = id
        } else {
            self.conversation = conversation
        }
        self.members = members
    }

    subscript(_ name: String) -> RawJSON? { self.members[name] }

    mutating func addConversation() {
        guard let conversation = self.conversation else { return }
        self.add("conversation_id", conversation.lowercaseText)
    }

    /// Adds a field of the server's own. - Parameter text: a string that needs no escapes.
    mutating func add(_ name: String, _ text: String) { self.members[name] = RawJSON(plain: text) }

    /// The fields as the arguments of a function.
    func arguments() throws(BroadcastRefusal) -> CommandArguments {
        do {
            return try CommandArguments(self.members)
        } catch {
            throw BroadcastRefusal(error)
        }
    }

    func requireSeq() throws(BroadcastRefusal) {
        guard let seq = self["seq"] else { throw .missing("seq") }
        guard let number = seq.int64, number >= 0 else { throw .argument("seq", "a whole number") }
    }

    private static func camelCase(_ name: String) -> String {
        let words = name.split(separator: "_")
        return words[0] + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }
}
