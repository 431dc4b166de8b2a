public import FoundationEssentials

/// One row of `parley.event`, rendered for clients.
public struct LogEvent: Sendable, Equatable {
    /// Position in the global log; unique, not dense.
    public var id: Int64
    /// The 64-bit id of the transaction that wrote it.
    public var transactionID: UInt64
    /// Nil for an event that belongs to one user.
    public var conversationID: UUID?
    /// Dense per conversation; nil for a user's own event.
    public var eventSeq: Int64?
    /// The one addressee of an event without a conversation; for `participant:*` events the participant concerned.
    public var userID: UUID?
    /// For example `message:new`.
    public var kind: String
    public var actorID: UUID?
    public var messageID: UUID?
    /// `seq` of the message concerned, so that history hidden from a late joiner stays hidden.
    public var messageSeq: Int64?
    /// First message a participant may see, on `participant:joined`.
    public var historyFromSeq: Int64?
    /// Users who left the conversation after this event and before its payload was made, which may show what happened
    /// since, or who deleted the conversation for themselves after the message concerned: it is not for them.
    public var revoked: [UUID]
    /// The JSON object sent to clients as the broadcast's payload.
    public var payload: [UInt8]

    public init(
        id: Int64, transactionID: UInt64, conversationID: UUID?, eventSeq: Int64?, userID: UUID?, kind: String,
        actorID: UUID?, messageID: UUID?, messageSeq: Int64?, historyFromSeq: Int64?, revoked: [UUID] = [],
        payload: [UInt8]
    ) {
        self.id = id
        self.transactionID = transactionID
        self.conversationID = conversationID
        self.eventSeq = eventSeq
        self.userID = userID
        self.kind = kind
        self.actorID = actorID
        self.messageID = messageID
        self.messageSeq = messageSeq
        self.historyFromSeq = historyFromSeq
        self.revoked = revoked
        self.payload = payload
    }
}
