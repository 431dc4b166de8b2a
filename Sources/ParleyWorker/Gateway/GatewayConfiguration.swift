/// What the gateway exposes, and its limits.
public struct GatewayConfiguration: Sendable {
    /// The path before `/<view>` and `/rpc/<function>`, without anything to decode.
    public var prefix = "/rest/v1"
    /// Most rows in one answer, whatever `limit` says.
    public var maxRows = 1_000
    /// The largest answer of a read; a larger one does not leave the database.
    public var maxAnswerBytes = 8 << 20
    /// Longest run of one statement in the database.
    public var statementTimeout = AnswerTime.longestStatement
    /// Longest wait of one statement for a lock; then it fails with 55P03, answered 503.
    public var lockTimeout = Duration.seconds(2)

    public init() {}
}
