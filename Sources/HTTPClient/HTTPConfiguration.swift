/// Limits and trust of an ``HTTPSession``.
public struct HTTPConfiguration: Sendable {
    /// For the TCP and TLS handshakes, name resolution included.
    public var connectTimeout: Duration
    /// For a whole request.
    public var timeout: Duration
    public var maxBodyBytes: Int
    /// PEM file of the authorities to trust, in place of the system's.
    public var certificateAuthority: String?
    /// Also accept `http://` URLs. Only for servers on this machine: nothing protects the answer on its way.
    public var allowsCleartext: Bool
    /// Requests that may be under way at once; one more fails with `.queueFull`.
    public var maxRequests = 64
    /// Bytes of the requests under way; one beyond them fails with `.queueFull`.
    public var maxRequestBytes = 16 * 1024 * 1024
    /// Connections to one host. With a limit, requests wait for a connection that is being made and share it as streams
    /// of HTTP/2; 0 for no limit.
    public var maxConnectionsPerHost = 0
    /// Connections that are kept open for later.
    public var maxIdleConnections = 16
    /// Streams at once on one connection, unless the server allows fewer. More requests wait.
    public var maxStreams = 100
    /// Addresses that may be connected to; nil for all. With a guard no proxy is used: it would connect unguarded.
    public var addressGuard: AddressGuard?
    /// Where to connect to in place of what a URL says, each as `host:port:other-host:other-port`. The certificate must
    /// still be the one of the URL's host.
    public var connectTo: [String] = []

    public init(
        connectTimeout: Duration = .seconds(5), timeout: Duration = .seconds(15), maxBodyBytes: Int = 1024 * 1024,
        certificateAuthority: String? = nil, allowsCleartext: Bool = false
    ) {
        self.connectTimeout = connectTimeout
        self.timeout = timeout
        self.maxBodyBytes = maxBodyBytes
        self.certificateAuthority = certificateAuthority
        self.allowsCleartext = allowsCleartext
    }
}
