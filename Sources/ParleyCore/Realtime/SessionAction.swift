public import FoundationEssentials

/// What a `SocketSession` asks its hub to do; to be carried out in the order given.
public enum SessionAction: Sendable, Equatable {
    /// Send a frame to this socket.
    case send(WirePayload)
    /// Ask the database whether the holder of a token may read a topic, and answer with `authorized`.
    case authorize(Authorization)
    /// The channel was accepted: send its presence state, its replay and what it missed, then let it live.
    case goLive(ChannelID)
    /// The channel is gone: end its routes and its presence. Harmless for one that never went live.
    case drop(ChannelID)
    /// Make a channel present; answer with `tracked`.
    case track(PresenceTrack)
    case untrack(ChannelID)
    /// Forward a broadcast to the channels of a topic.
    case publish(Publication)
    /// Tell the others of a conversation that a user types, as often as the throttle allows.
    case typing(Typing)
    /// Run a function of the API as the caller; answer with `callFinished` exactly once.
    case call(DatabaseCall)
    /// Close the socket.
    case close(code: UInt16, reason: String)
}

/// A question to the access rule.
public struct Authorization: Sendable, Equatable {
    public var channel: ChannelID
    public var topic: Topic
    public var token: SessionToken
    public var replay: ReplayRequest
    /// True when a live channel only exchanges its token.
    public var isRefresh: Bool
}

/// A presence that a channel wants to show.
public struct PresenceTrack: Sendable, Equatable {
    public var channel: ChannelID
    public var key: String
    public var fields: JSONObject
    /// Where the answer goes.
    public var joinRef: String?
    public var ref: String?
}

/// What became of a `PresenceTrack`.
public enum PresenceOutcome: Sendable, Equatable { case done, tooLarge, refused }

/// A broadcast of a client that is not kept.
public struct Publication: Sendable, Equatable {
    /// The channel that is not to hear it; nil when the sender asked to hear itself, or has no channel.
    public var sender: ChannelID?
    public var topic: Topic
    public var broadcast: ClientBroadcast

    public init(sender: ChannelID?, topic: Topic, broadcast: ClientBroadcast) {
        self.sender = sender
        self.topic = topic
        self.broadcast = broadcast
    }
}

/// A typing indicator; its user is the session's, whatever the client wrote.
public struct Typing: Sendable, Equatable {
    /// The channel that is not to hear it.
    public var sender: ChannelID?
    public var conversation: UUID
    public var user: UUID
    public var isTyping: Bool

    public init(sender: ChannelID?, conversation: UUID, user: UUID, isTyping: Bool) {
        self.sender = sender
        self.conversation = conversation
        self.user = user
        self.isTyping = isTyping
    }
}

/// A call that a client made through its channel.
public struct DatabaseCall: Sendable, Equatable {
    public enum Function: String, Sendable {
        case sendMessage = "send_message"
        case markAsRead = "mark_as_read"
        case markMessageAsRead = "mark_message_as_read"
        case markAsDelivered = "mark_as_delivered"
        case startCall = "start_call"
        case acceptCall = "accept_call"
        case declineCall = "decline_call"
        case cancelCall = "cancel_call"
        case endCall = "end_call"
        case signalCall = "signal_call"

        /// The name under which what it returns is put into the answer; nil: the answer is what it returns.
        public var wrapper: String? {
            switch self {
            case .sendMessage: "message"
            case .startCall, .acceptCall, .declineCall, .cancelCall, .endCall: "call"
            case .markAsRead, .markMessageAsRead, .markAsDelivered, .signalCall: nil
            }
        }
    }

    /// Where the answer goes.
    public struct Reply: Sendable, Equatable {
        public var joinRef: String?
        public var ref: String?
        /// With the `realtime:` prefix.
        public var topic: String
    }

    /// The type of an argument in the database, of all functions alike.
    public static func type(ofArgument name: String) -> String {
        switch name {
        case "conversation_id", "message_id", "client_message_id", "reply_to_id": "uuid"
        case "call_id", "client_call_id", "to_user_id": "uuid"
        case "attachment_ids", "mentions", "invite_ids": "uuid[]"
        case "seq": "bigint"
        case "busy", "failed", "mentions_all": "boolean"
        case "metadata", "payload": "jsonb"
        case "expires_in": "interval"
        default: "text"
        }
    }

    public var function: Function
    /// What it is about: the conversation of the channel, or the call (by voice) that the client named. Calls of one
    /// socket for one of these run in the order they came.
    public var conversation: UUID
    /// Names of the arguments in `arguments`, sorted.
    public var names: [String]
    /// One JSON object with the arguments.
    public var arguments: [UInt8]
    public var token: SessionToken
    /// Nil when the client did not ask for an acknowledgement.
    public var reply: Reply?

    public init(
        function: Function, conversation: UUID, names: [String], arguments: [UInt8], token: SessionToken, reply: Reply?
    ) {
        self.function = function
        self.conversation = conversation
        self.names = names
        self.arguments = arguments
        self.token = token
        self.reply = reply
    }
}

/// What the database said to an `Authorization`.
public enum AuthorizationAnswer: Sendable, Equatable {
    case allowed
    case denied
    /// No answer could be had.
    case failed(JoinRefusal)
}

/// What the world is like when an event reaches a session.
public struct SessionContext: Sendable {
    public enum Database: Sendable, Equatable { case ready, unreachable }

    /// Milliseconds since 1970, for what tokens say.
    public var now: Int64
    /// Nanoseconds of a clock that nobody sets, for rates.
    public var steady: Int64
    public var limits: SessionLimits
    public var database: Database
    /// The worker is going down: no new joins.
    public var draining: Bool

    public init(
        now: Int64, steady: Int64, limits: SessionLimits, database: Database = .ready, draining: Bool = false
    ) {
        self.now = now
        self.steady = steady
        self.limits = limits
        self.database = database
        self.draining = draining
    }

    var seconds: Int64 { self.now / 1000 }
}

/// Checks a token's text; synchronous, as it needs no I/O.
public typealias TokenCheck = (String) -> Result<SessionToken, TokenRefusal>
