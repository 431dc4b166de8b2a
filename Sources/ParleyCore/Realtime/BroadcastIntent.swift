public import FoundationEssentials

/// What a broadcast of a client means: a command, a typing indicator, or something to forward.
///
/// The same for sockets and for the REST fallback. Who acts is always the holder of the token, whatever the payload says.
public enum BroadcastIntent: Sendable, Equatable {
    /// Run a function of the API.
    case command(DatabaseCommand)
    case typing(user: UUID, conversation: UUID, isTyping: Bool)
    case focus(Focus)
    /// To the other channels of the topic, as it is.
    case forward
    /// Accepted for the sake of older clients; the join has done it already.
    case nothing

    /// - Parameters:
    ///   - reserved: the names of the server's events; nil when they are not known yet.
    ///   - limit: bytes of the payload above which it is refused.
    public init(
        _ broadcast: ClientBroadcast, topic: Topic, token: SessionToken, reserved: ReservedEvents?, limit: Int
    ) throws(BroadcastRefusal) {
        guard !broadcast.event.isEmpty else { throw .malformed }
        let size =
            switch broadcast.body {
            case .json(let bytes), .binary(let bytes): bytes.count
            }
        guard size <= limit else { throw .tooLarge }
        if let intent = try Self.focus(broadcast, token) {
            self = intent
            return
        }
        if case .conversation(let conversation) = topic,
            let intent = try Self.conversationEvent(broadcast, conversation, token)
        {
            self = intent
            return
        }
        if let command = try Self.callCommand(broadcast, topic) {
            self = .command(command)
            return
        }
        if let command = try Self.namedCommand(broadcast, topic) {
            self = .command(command)
            return
        }
        try Self.checkName(broadcast.event, reserved)
        // Inboxes and the moderators' topic carry what the log says, and nothing of clients.
        if case .conversation = topic {} else if !token.isService { throw .notHere }
        self = .forward
    }

    /// The events with a meaning of their own on the channel of a conversation.
    private static func conversationEvent(
        _ broadcast: ClientBroadcast, _ conversation: UUID, _ token: SessionToken
    ) throws(BroadcastRefusal) -> BroadcastIntent? {
        switch broadcast.event {
        case "message:send":
            let fields = try BroadcastFields(broadcast, conversation: conversation, known: Self.sendFields)
            if let content = fields["content"] {
                guard content.kind == .string else { throw .argument("content", "a string") }
            } else if fields["attachment_ids"] == nil, fields["metadata"] == nil {
                // a place and an envelope have no text either; which types need it the database knows
                throw .missing("content")
            }
            return .command(try Self.command("send_message", fields, conversation, answerName: "message"))
        case "message:read", "message:read:update":
            let fields = try BroadcastFields(broadcast, conversation: conversation, known: ["seq", "message_id"])
            guard fields["message_id"] != nil else {
                try fields.requireSeq()
                return .command(try Self.command("mark_as_read", fields, conversation))
            }
            guard fields["seq"] == nil else { throw .argument("seq", "absent when message_id is given") }
            return .command(
                DatabaseCommand(
                    function: "mark_message_as_read", arguments: try fields.arguments(), subject: conversation))
        case "message:delivered":
            let fields = try BroadcastFields(broadcast, conversation: conversation, known: ["seq"])
            try fields.requireSeq()
            return .command(try Self.command("mark_as_delivered", fields, conversation))
        case "typing:start": return try Self.typing(true, conversation, token)
        case "typing:stop": return try Self.typing(false, conversation, token)
        case "user:typing":
            let fields = try BroadcastFields(broadcast, conversation: conversation, known: ["is_typing"])
            guard let isTyping = fields["is_typing"]?.bool else { throw .argument("is_typing", "true or false") }
            return try Self.typing(isTyping, conversation, token)
        case "join:conversation": return .nothing
        default: return nil
        }
    }

    /// A command about the conversation of the channel.
    private static func command(
        _ function: String, _ fields: BroadcastFields, _ conversation: UUID, answerName: String? = nil
    ) throws(BroadcastRefusal) -> DatabaseCommand {
        var fields = fields
        fields.addConversation()
        return DatabaseCommand(
            function: function, arguments: try fields.arguments(), subject: conversation, answerName: answerName)
    }

    private static func typing(
        _ isTyping: Bool, _ conversation: UUID, _ token: SessionToken
    ) throws(BroadcastRefusal) -> BroadcastIntent {
        guard let user = token.boundUser else { throw .noUser }
        return .typing(user: user, conversation: conversation, isTyping: isTyping)
    }

    private static let sendFields: BroadcastFields.Names = [
        "attachment_ids", "client_message_id", "content", "expires_in", "mentions", "mentions_all", "metadata",
        "reply_to_id", "type",
    ]

    /// Names with a meaning of their own, on this topic or another, in whatever case: forwarded they would seem done.
    private static let commands = ReservedEvents([
        "message:send", "message:read", "message:read:update", "message:delivered", "typing:start", "typing:stop",
        "user:typing", "join:conversation", "call:start", "call:accept", "call:decline", "call:cancel", "call:end",
        "call:offer", "call:answer", "call:ice", "call:renegotiate", Self.focusEvent,
    ])

    /// Refuses a name that clients may not give to a broadcast of their own.
    private static func checkName(_ event: String, _ reserved: ReservedEvents?) throws(BroadcastRefusal) {
        guard let reserved else { throw .namesUnknown }
        let isCommand =
            Self.commands.contains(event) || ReservedEvents.fold(event).starts(with: Self.commandPrefix.utf8)
        guard !isCommand, !reserved.contains(event) else { throw .reserved }
    }
}
