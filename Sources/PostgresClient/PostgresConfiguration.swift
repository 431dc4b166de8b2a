/// How to reach a database and how patient to be with it.
public struct PostgresConfiguration: Sendable {
    /// A libpq connection string: `postgres://user:password@host:port/db?...` or `host=... dbname=...`.
    /// Settings in it win over the defaults of this type. It may hold a password: it is never logged.
    public var url: String
    /// Shown in `pg_stat_activity`, unless `url` names another.
    public var applicationName: String
    /// Time for one connection attempt, all its hosts together.
    public var connectTimeout: Duration
    /// Prepare each statement once per connection. A connection that leads through a pooler, where the next transaction
    /// may run on a session that never saw the statement, prepares nothing whatever this says.
    public var preparedStatements: Bool
    /// Statements kept prepared per connection, and bytes of their texts; beyond either the least recently used ones are
    /// deallocated.
    public var statementCacheSize: Int
    public var statementCacheBytes: Int
    /// The longest text of a statement in the pool; a longer one is refused with SQLSTATE 54000.
    public var longestStatement: Int
    /// Transactions sent on one connection before the first of them is answered. More than one only when every
    /// connection is busy.
    public var pipelineDepth: Int
    /// How old the oldest unanswered transaction of a connection may be for another to be sent behind it. A slow
    /// statement so holds up at most what was sent in this time.
    public var pipelineWindow: Duration
    /// How long a transaction waits for a connection while none is up, before it fails with `.connectFailed`.
    public var connectionWait: Duration
    /// First and longest pause between connection attempts; they double, with jitter.
    public var reconnectDelay: ClosedRange<Duration>
    /// How long data may stay unacknowledged before the kernel gives the link up (`tcp_user_timeout`). Keepalive
    /// probes start after half of it, so that an idle half-open link is noticed in about this time as well. The server is
    /// told the same for its end: a program that vanishes holds its locks no longer than this.
    public var deadLinkTimeout: Duration

    public init(
        url: String, applicationName: String = "parley", connectTimeout: Duration = .seconds(5),
        preparedStatements: Bool = true, statementCacheSize: Int = 256, statementCacheBytes: Int = 512 << 10,
        longestStatement: Int = 64 << 10, pipelineDepth: Int = 4, pipelineWindow: Duration = .milliseconds(2),
        connectionWait: Duration = .seconds(5),
        reconnectDelay: ClosedRange<Duration> = .milliseconds(50)...(.seconds(5)),
        deadLinkTimeout: Duration = .seconds(10)
    ) {
        self.url = url
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
        self.preparedStatements = preparedStatements
        self.statementCacheSize = statementCacheSize
        self.statementCacheBytes = statementCacheBytes
        self.longestStatement = longestStatement
        self.pipelineDepth = pipelineDepth
        self.pipelineWindow = pipelineWindow
        self.connectionWait = connectionWait
        self.reconnectDelay = reconnectDelay
        self.deadLinkTimeout = deadLinkTimeout
    }
}

extension PostgresConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Without the connection string, which may hold a password.
    public var description: String { "PostgresConfiguration(\(self.applicationName))" }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
