/// What a token must satisfy besides its signature.
public struct JWTPolicy: Sendable {
    /// Bytes of a whole token.
    public static let longestToken = 8 * 1024
    /// Bytes of a decoded header.
    public static let longestHeader = 2 * 1024
    /// Bytes of a `kid`.
    public static let longestKeyID = 256
    /// The last second of the year 9999. A later `exp` is a mistake, for example milliseconds.
    public static let latestTime: Int64 = 253_402_300_799

    /// If set, `iss` must be exactly this.
    public var issuer: String?
    /// If set, `aud` must be exactly this, or an array that contains it.
    public var audience: String?
    /// Seconds by which `nbf` and `iat` may lie in the future: clocks differ. `exp` has no leeway.
    public var leeway: Int64

    public init(issuer: String? = nil, audience: String? = nil, leeway: Int64 = 60) {
        self.issuer = issuer
        self.audience = audience
        self.leeway = leeway
    }
}
