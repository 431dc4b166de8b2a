internal import FoundationEssentials

/// The fields of a command, their values as the client wrote them. Null counts as absent; other fields are ignored.
struct CommandArguments {
    /// What they are about, if that is known.
    let conversation: UUID?
    /// In the order of their names.
    private var fields: [(name: String, value: [UInt8])] = []
    private let members: [String: RawJSON]

    /// - Parameters:
    ///   - conversation: the one of the channel; nil where the client says it.
    ///   - known: names of the fields wanted, in their own spelling; `messageId` is taken for `message_id`.
    init(_ broadcast: ClientBroadcast, conversation: UUID?, known: [String]) throws(BroadcastRefusal) {
        let names = known + ["conversation_id"]
        let spellings = names + names.map(Self.camelCase)
        guard case .json(let bytes) = broadcast.body,
            let found = try? RawJSON.pick(RawJSON.Keys(spellings), from: bytes, duplicateKeys: .keepLast)
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
        for (name, value) in members {
            if value.holdsZero { throw BroadcastRefusal(.zeroEscape) }
            // seq has a check of its own, with its own words.
            guard name != "seq" else { continue }
            let type = DatabaseCall.type(ofArgument: name)
            if let fault = ArgumentSyntax.fault(value, type: type, name: name) { throw BroadcastRefusal(fault) }
        }
        self.members = members
        self.fields = members.map { ($0.key, $0.value.bytes) }.sorted { $0.name < $1.name }
    }

    subscript(_ name: String) -> RawJSON? { self.members[name] }

    var names: [String] { self.fields.map(\.name) }

    var json: [UInt8] {
        var writer = JSONWriter(capacity: self.fields.reduce(2) { $0 + $1.name.utf8.count + $1.value.count + 4 })
        for (index, field) in self.fields.enumerated() {
            writer.byte(index == 0 ? UInt8(ascii: "{") : UInt8(ascii: ","))
            writer.string(field.name)
            writer.byte(UInt8(ascii: ":"))
            writer.raw(field.value)
        }
        writer.byte(UInt8(ascii: "}"))
        return writer.bytes
    }

    mutating func addConversation() {
        guard let conversation = self.conversation else { return }
        self.add("conversation_id", conversation.lowercaseText)
    }

    /// Adds a field of the server's own. - Parameter text: nothing that JSON would escape.
    mutating func add(_ name: String, _ text: String) {
        self.fields.append((name, [UInt8]("\"\(text)\"".utf8)))
        self.fields.sort { $0.name < $1.name }
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
