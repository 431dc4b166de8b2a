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
