/// Why a message of a client is refused, if it is no join.
public struct BroadcastRefusal: Error, Sendable, Equatable {
    public var reason: String
    /// As of a command that the database refused: a SQLSTATE.
    public var code = "PT400"
    /// Whether the same broadcast may be accepted later.
    public var isRetriable = false

    public init(reason: String, code: String = "PT400", isRetriable: Bool = false) {
        self.reason = reason
        self.code = code
        self.isRetriable = isRetriable
    }

    /// What Postgres would say to the value of an argument.
    init(_ error: APIError) { self.init(reason: error.message, code: error.code.rawValue) }

    /// The members of a failed command's answer.
    var response: [UInt8] {
        APIError(status: 400, code: .init(self.code), message: self.reason).response(isRetriable: self.isRetriable)
    }

    /// More than the connection may send, or than may wait.
    static let tooMany = BroadcastRefusal(
        reason: ProtocolText.System.tooManyMessages, code: "PT429", isRetriable: true)
    /// The worker goes down; the next one takes it.
    static let restarting = BroadcastRefusal(
        reason: ProtocolText.Reply.restarting, code: "PT503", isRetriable: true)
    /// More bytes than one user, or all together on one topic, may broadcast.
    public static let tooManyBytes = BroadcastRefusal(
        reason: "Too many bytes of broadcasts per second", code: "PT429", isRetriable: true)
    /// The topic has no `realtime:` prefix, or the channel is not joined.
    static let unmatchedTopic = BroadcastRefusal(reason: ProtocolText.Reply.unmatchedTopic, code: "PT404")
    static let presenceNotMap = BroadcastRefusal(reason: ProtocolText.Reply.presenceNotMap)
    static let presenceOfAnother = BroadcastRefusal(reason: ProtocolText.Reply.presenceOfAnother, code: "PT403")
    static let presenceRefused = BroadcastRefusal(reason: ProtocolText.Reply.presenceRefused)
    static let presenceRate = BroadcastRefusal(
        reason: ProtocolText.System.presenceRateLimit, code: "PT429", isRetriable: true)
    static let presenceTooLarge = BroadcastRefusal(reason: ProtocolText.System.presenceTooLarge, code: "PT413")
    static let unknownEvent = BroadcastRefusal(reason: "This event has no meaning here")
    static let malformed = BroadcastRefusal(reason: "A broadcast needs an event name")
    public static let tooLarge = BroadcastRefusal(
        reason: ProtocolText.Reply.payloadTooLarge, code: "PT413")
    /// Names that the server gives to what really happened.
    public static let reserved = BroadcastRefusal(reason: "This event name is reserved for the server")
    /// The catalogue of events was not read yet.
    static let namesUnknown = BroadcastRefusal(
        reason: "The names of events are not known yet, please try again", code: "PT503", isRetriable: true)
    public static let notHere = BroadcastRefusal(reason: "Clients may not broadcast on this topic", code: "PT403")
    /// A lease ends with its socket.
    public static let needsSocket = BroadcastRefusal(reason: "This event needs a socket")
    static let noUser = BroadcastRefusal(reason: "This token has no user to act for", code: "PT403")

    static func argument(_ name: String, _ wanted: String) -> BroadcastRefusal {
        BroadcastRefusal(reason: "\(name) must be \(wanted)")
    }
    static func missing(_ name: String) -> BroadcastRefusal { BroadcastRefusal(reason: "\(name) is required") }
}
