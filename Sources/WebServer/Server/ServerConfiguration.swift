/// What a ``WebServer`` listens on, and every limit it enforces.
public struct ServerConfiguration: Sendable {
    /// A certificate chain and its key, as PEM files.
    public struct TLS: Sendable {
        public var certificatePath: String
        public var keyPath: String

        public init(certificatePath: String, keyPath: String) {
            self.certificatePath = certificatePath
            self.keyPath = keyPath
        }
    }

    /// A numeric IPv4 or IPv6 address; `0.0.0.0` for all of IPv4, `::` for everything.
    public var host = "127.0.0.1"
    /// The TCP port; 0 takes any free one (see ``WebServer/port``).
    public var port = 0
    /// Connections at a time; one more is answered 503 and closed. A few beyond are read for ``alwaysServed``.
    public var maxConnections = 100_000
    /// Those of them kept for addresses from which a user was proven in the last ten minutes; others are answered 503 once
    /// the rest is taken and holds no older stranger that could be closed for them.
    public var reservedConnections = 0
    /// Connections of one address (one /64 of IPv6) whose handler has not named a user; one more is answered 429. Zero for
    /// no limit, as a proxy in front needs that hides its clients' addresses.
    public var maxConnectionsPerAddress = 0
    /// Connections of one user; ``WebSocket/attribute(to:)`` tells when there is one more. Zero for no limit.
    public var maxConnectionsPerUser = 0
    /// Paths that are answered whatever else is refused for want of room: those of health checks.
    public var alwaysServed: Set<String> = []
    /// Bytes that all answers, sockets and unfinished requests hold together. What happens beyond: ``HeldBytes``.
    public var maxHeldBytes = 256 * 1024 * 1024
    /// Bytes of one answer; a larger one is answered 413.
    public var maxAnswerBytes = 32 * 1024 * 1024
    /// Bytes of a request's line and headers; beyond: 431.
    public var maxHeaderBytes = 32 * 1024
    /// Bytes of a request's body; beyond: 413.
    public var maxBodyBytes = 1024 * 1024
    /// Bytes of one WebSocket message, however fragmented; beyond: close 1009.
    public var maxMessageBytes = 1024 * 1024
    /// Frames that one WebSocket message may be cut into; beyond: close 1009.
    public var maxFragments = 1024
    /// Bytes waiting to be sent on one WebSocket; beyond: close 1013, and what waited is dropped at once.
    public var maxQueuedBytes = 4 * 1024 * 1024
    /// A WebSocket is closed with 1001 when no frame of any kind came for this long.
    public var idleTimeout: Duration = .seconds(90)
    /// How often a WebSocket is sent a ping, whose pong is such a frame.
    public var pingInterval: Duration = .seconds(30)
    /// The same for a WebSocket on whose being there others rely (``WebSocket/attend()``).
    public var attentivePingInterval: Duration = .seconds(10)
    /// A WebSocket whose handler has not called ``WebSocket/establish()`` is closed with 1008 after this time.
    public var establishTimeout: Duration = .seconds(30)
    /// An HTTP connection is closed when no request came for this long, or its peer took no 128 KiB of an answer.
    public var keepAliveTimeout: Duration = .seconds(60)
    /// From the connection, or the first byte of a later request, to the end of its headers; beyond: 408.
    public var headerTimeout: Duration = .seconds(10)
    /// From the end of the headers to the end of the body; beyond: 408.
    public var bodyTimeout: Duration = .seconds(30)
    /// How long the handler may take to respond; beyond: 504.
    public var responseTimeout: Duration = .seconds(60)
    /// A peer that moves nothing for so long is closed first when room is needed (``HeldBytes``).
    public var stallTimeout: Duration = .seconds(5)
    /// How long a peer has to take in a last response or close frame, and to close its side.
    public var closeTimeout: Duration = .seconds(2)
    /// Serves TLS when set.
    public var tls: TLS?

    public init(host: String = "127.0.0.1", port: Int = 0) {
        self.host = host
        self.port = port
    }
}
