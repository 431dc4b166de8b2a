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
    /// Connections at a time; one more is answered 503 and closed.
    public var maxConnections = 100_000
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
    /// A WebSocket is closed with 1000 when no frame came for this long; an HTTP connection, when no request did.
    public var idleTimeout: Duration = .seconds(60)
    /// From the connection, or the first byte of a later request, to the end of its headers; beyond: 408.
    public var headerTimeout: Duration = .seconds(10)
    /// From the end of the headers to the end of the body; beyond: 408.
    public var bodyTimeout: Duration = .seconds(30)
    /// How long the handler may take to respond; beyond: 504.
    public var responseTimeout: Duration = .seconds(60)
    /// How long a peer has to take in a last response or close frame, and to close its side.
    public var closeTimeout: Duration = .seconds(2)
    /// Serves TLS when set.
    public var tls: TLS?

    public init(host: String = "127.0.0.1", port: Int = 0) {
        self.host = host
        self.port = port
    }
}
