public import FoundationEssentials

/// What a broadcast of a client means: a call of the API, a typing indicator, or something to forward.
///
/// The same for sockets and for the REST fallback. Who acts is always the holder of the token, whatever the payload says.
public enum BroadcastIntent: Sendable, Equatable {
    /// Run a function of the API; the arguments are one JSON object whose names are listed, sorted.
    case call(DatabaseCall.Function, conversation: UUID, names: [String], arguments: [UInt8])
    case typing(user: UUID, conversation: UUID, isTyping: Bool)
    /// To the other channels of the topic, as it is.
    case forward
    /// Accepted for the sake of older clients; the join has done it already.
    case nothing

    /// - Parameter limit: bytes of the payload above which it is refused.
    public init(
        _ broadcast: ClientBroadcast, topic: Topic, token: SessionToken, limit: Int
    ) throws(BroadcastRefusal) {
        guard !broadcast.event.isEmpty else { throw .malformed }
        let size =
            switch broadcast.body {
            case .json(let bytes), .binary(let bytes): bytes.count
            }
        guard size <= limit else { throw .tooLarge }
        if case .conversation(let conversation) = topic,
            let command = try Self.command(broadcast, conversation, token)
        {
            self = command
            return
        }
        if let command = try Self.callCommand(broadcast, topic) {
            self = command
            return
        }
        guard !Self.isReserved(broadcast.event) else { throw .reserved }
        // Inboxes and the moderators' topic carry what the log says, and nothing of clients.
        if case .conversation = topic {} else if !token.isService { throw .notHere }
        self = .forward
    }

    private static func command(
        _ broadcast: ClientBroadcast, _ conversation: UUID, _ token: SessionToken
    ) throws(BroadcastRefusal) -> BroadcastIntent? {
        switch broadcast.event {
        case "message:send":
            var arguments = try CommandArguments(broadcast, conversation: conversation, known: Self.sendFields)
            if let content = arguments["content"] {
                guard content.kind == .string else { throw .argument("content", "a string") }
            } else if arguments["attachment_ids"] == nil, arguments["metadata"] == nil {
                // a place and an envelope have no text either; which types need it the database knows
                throw .missing("content")
            }
            arguments.addConversation()
            return .call(
                .sendMessage, conversation: conversation, names: arguments.names, arguments: arguments.json)
        case "message:read", "message:read:update":
            var arguments = try CommandArguments(broadcast, conversation: conversation, known: ["seq", "message_id"])
            var function = DatabaseCall.Function.markMessageAsRead
            if arguments["message_id"] == nil {
                try arguments.requireSeq()
                arguments.addConversation()
                function = .markAsRead
            } else if arguments["seq"] != nil {
                throw .argument("seq", "absent when message_id is given")
            }
            return .call(function, conversation: conversation, names: arguments.names, arguments: arguments.json)
        case "message:delivered":
            var arguments = try CommandArguments(broadcast, conversation: conversation, known: ["seq"])
            try arguments.requireSeq()
            arguments.addConversation()
            return .call(
                .markAsDelivered, conversation: conversation, names: arguments.names, arguments: arguments.json)
        case "typing:start": return try Self.typing(true, conversation, token)
        case "typing:stop": return try Self.typing(false, conversation, token)
        case "user:typing":
            let arguments = try CommandArguments(broadcast, conversation: conversation, known: ["is_typing"])
            guard let isTyping = arguments["is_typing"]?.bool else { throw .argument("is_typing", "true or false") }
            return try Self.typing(isTyping, conversation, token)
        case "join:conversation": return .nothing
        default: return nil
        }
    }

    private static func typing(
        _ isTyping: Bool, _ conversation: UUID, _ token: SessionToken
    ) throws(BroadcastRefusal) -> BroadcastIntent {
        guard let user = token.boundUser else { throw .noUser }
        return .typing(user: user, conversation: conversation, isTyping: isTyping)
    }

    private static let sendFields = [
        "attachment_ids", "client_message_id", "content", "expires_in", "mentions", "mentions_all", "metadata",
        "reply_to_id", "type",
    ]

    /// Whether a name belongs to the server. Clients compare names without regard to case, so this does too.
    public static func isReserved(_ event: String) -> Bool {
        let name = event.lowercased()
        return Self.reservedPrefixes.contains { name.hasPrefix($0) }
    }

    private static let reservedPrefixes = [
        "message:", "conversation:", "participant:", "request:", "poll:", "call:", "typing:", "user:", "replay:",
        "session:", "scheduled:",
    ]
}

/// Why a broadcast of a client is refused.
public struct BroadcastRefusal: Error, Sendable, Equatable {
    public var reason: String
    /// As of a call that the database refused: a SQLSTATE.
    public var code = "PT400"
    /// Whether the same broadcast may be accepted later.
    public var isRetriable = false

    init(reason: String, code: String = "PT400", isRetriable: Bool = false) {
        self.reason = reason
        self.code = code
        self.isRetriable = isRetriable
    }

    /// What Postgres would say to the value of an argument.
    init(_ error: GatewayError) { self.init(reason: error.message, code: error.code.rawValue) }

    /// `{"reason","code","retriable"}`, the members of a failed call's answer.
    var response: [UInt8] {
        let object: JSONObject = [
            "reason": .string(self.reason), "code": .string(self.code), "retriable": .bool(self.isRetriable),
        ]
        return object.serialized()
    }

    /// More than the connection may send, or than may wait.
    static let tooMany = BroadcastRefusal(
        reason: ProtocolText.System.tooManyMessages, code: "PT429", isRetriable: true)
    /// The worker goes down; the next one takes it.
    static let restarting = BroadcastRefusal(
        reason: ProtocolText.Reply.restarting, code: "PT503", isRetriable: true)
    static let malformed = BroadcastRefusal(reason: "A broadcast needs an event name")
    public static let tooLarge = BroadcastRefusal(
        reason: ProtocolText.Reply.payloadTooLarge, code: "PT413")
    /// Names that the server gives to what really happened.
    public static let reserved = BroadcastRefusal(reason: "This event name is reserved for the server")
    public static let notHere = BroadcastRefusal(reason: "Clients may not broadcast on this topic", code: "PT403")
    static let noUser = BroadcastRefusal(reason: "This token has no user to act for", code: "PT403")

    static func argument(_ name: String, _ wanted: String) -> BroadcastRefusal {
        BroadcastRefusal(reason: "\(name) must be \(wanted)")
    }
    static func missing(_ name: String) -> BroadcastRefusal { BroadcastRefusal(reason: "\(name) is required") }
}
