public import Support

/// Everything `parley serve` can be told. Each property is one row of ``settings``, which holds its flag, its environment
/// variable and its meaning.
public struct ServeConfiguration: Sendable {
    // Database
    public var databaseURL = ""
    /// Nil: LISTEN goes through `databaseURL`.
    public var listenDatabaseURL: String?
    public var databasePoolSize = 8
    /// Transactions that may wait for a pooled connection; one more is answered 503 at once.
    public var databaseQueueSize = 4096
    public var statementTimeout = AnswerTime.longestStatement
    /// How long a request's statement may wait for a lock, for example while another transaction changes a conversation.
    public var lockTimeout = Duration.seconds(2)
    public var pollOnly = false

    // Address
    public var host = "127.0.0.1"
    /// 0 picks a free port.
    public var port = 4000
    public var tlsCertificate: String?
    public var tlsKey: String?
    /// The folder of the web client, served at `/`; nil for none.
    public var web: String?

    // Tokens
    public var jwtSecret: String?
    public var jwtSecretFile: String?
    /// A path or a URL of a JSON Web Key Set.
    public var jwks: String?
    /// PEM file of a certificate authority to trust for the key set, in place of the system's.
    public var jwksCA: String?
    public var jwtIssuer: String?
    public var jwtAudience: String?

    // Push
    /// A JSON file of providers; nil: no push.
    public var push: String?

    // Limits
    /// Sockets.
    public var maxConnections = 10_000
    /// Connections of one address that no user is known of; 0 for no limit.
    public var maxConnectionsPerAddress = 512
    /// Connections of one user; 0 for no limit.
    public var maxConnectionsPerUser = 100
    /// Per connection.
    public var maxChannels = 100
    public var maxMessageBytes = 1024 * 1024
    /// Per connection, of what waits to be sent.
    public var maxQueueBytes = 4 * 1024 * 1024
    /// Of all connections together: unread answers and frames, unfinished requests.
    public var maxHeldBytes = 256 * 1024 * 1024
    public var pingInterval = Duration.seconds(30)
    public var idleTimeout = Duration.seconds(90)
    /// For a socket that has joined no channel yet.
    public var joinTimeout = Duration.seconds(30)
    /// Per connection.
    public var clientEventsPerSecond = 100
    /// Per connection.
    public var clientJoinsPerSecond = 100
    /// Of one user, over all connections; 0 for no limit.
    public var userBroadcastBytesPerSecond = 256 * 1024
    /// To one topic; 0 for no limit.
    public var topicBroadcastBytesPerSecond = 512 * 1024

    // Operation
    /// Where exports are written; nil: this worker writes none.
    public var exportFolder: String?
    public var logLevel = Log.Level.info
    /// Of requests that went well, how many of a hundred the access record has.
    public var accessLogPercent = 1
    /// A request that takes longer is always in it.
    public var slowRequest = Duration.seconds(1)
    /// Where log files go; nil: lines go to standard error.
    public var logFolder: String?
    /// Days that files of the application, access and error records are kept.
    public var logDays = 30
    public var accessLogDays = 90
    public var errorLogDays = 90
    /// For a graceful stop; then connections are cut.
    public var drainTime = Duration.seconds(10)

    public init() {}
}
