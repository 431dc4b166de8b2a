/// What the gateway exposes, and its limits.
public struct GatewayConfiguration: Sendable {
    /// The one exposed schema.
    public var schema = "parley_api"
    /// The path before `/<view>` and `/rpc/<function>`, without anything to decode.
    public var prefix = "/rest/v1"
    /// The role of a request without a token.
    public var anonymousRole = "anon"
    /// The roles a token may ask for.
    public var roles: Set<String> = ["anon", "authenticated", "service_role"]
    /// Most rows in one answer, whatever `limit` says.
    public var maxRows = 1_000
    /// Longest run of one statement in the database.
    public var statementTimeout = Duration.seconds(10)
    /// Longest wait of one statement for a lock; then it fails with 55P03, answered 503.
    public var lockTimeout = Duration.seconds(2)
    /// Shortest time between two loads of the schema cache because of a function or view it does not know.
    public var reloadInterval = Duration.seconds(2)

    public init() {}
}
