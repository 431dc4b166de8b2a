/// The reasons for which a join is refused, letter by letter as the stock clients know them.
///
/// Python clients wait 30 s instead of 1 s after those that begin with a `...RateLimitReached`.
public struct JoinRefusal: Error, Sendable, Equatable {
    public var reason: String

    /// What the reason begins with: it names no topic.
    public var code: String { String(self.reason.prefix { $0 != ":" }) }

    public static let topicNameRequired = JoinRefusal(reason: ProtocolText.Join.topicRequired)
    public static let privateOnly = JoinRefusal(reason: ProtocolText.Join.privateOnly)
    public static let tooManyChannels = JoinRefusal(reason: ProtocolText.Join.tooManyChannels)
    public static let tooManyJoins = JoinRefusal(reason: ProtocolText.Join.tooManyJoins)
    public static let replayParameters = JoinRefusal(reason: ProtocolText.Join.invalidReplay)
    public static let restarting = JoinRefusal(reason: ProtocolText.Join.restarting)
    /// The database cannot be reached.
    public static let unavailable = JoinRefusal(reason: ProtocolText.Join.databaseUnreachable)
    /// The database did not answer in time.
    public static let timedOut = JoinRefusal(
        reason: ProtocolText.Join.queryCanceled("The database did not answer in time, please try again"))
    /// More joins wait for the database than the pool takes.
    public static let poolExhausted = JoinRefusal(reason: ProtocolText.Join.poolExhausted)
    /// More happened while the join was decided than is kept; the next try succeeds.
    public static let overtaken = JoinRefusal(
        reason: "UnableToSubscribe: Too many events while joining, please try again")
    /// A newer join of the same topic came before this one was decided.
    static let replaced = JoinRefusal(reason: "UnableToSubscribe: A newer join of this socket replaces this one")
    static let left = JoinRefusal(reason: "UnableToSubscribe: The channel was left before it was joined")
    static let notJSON = JoinRefusal(reason: ProtocolText.Join.unknown("A join takes JSON"))
    public static let internalError = JoinRefusal(reason: ProtocolText.Join.unknown)

    /// The access rule says no; also the answer to a topic that does not exist.
    public static func unauthorized(_ subTopic: String) -> JoinRefusal {
        JoinRefusal(reason: ProtocolText.Join.unauthorized(subTopic: subTopic))
    }

    public static func token(_ refusal: TokenRefusal) -> JoinRefusal { JoinRefusal(reason: refusal.joinReason) }
}
