/// What a verified token says. Only ``JWTVerifier`` makes one.
public struct VerifiedToken: Sendable, Equatable {
    /// `sub`, as it was written.
    public let subject: String?
    public let role: String
    /// Seconds since 1970; the token is valid before it.
    public let expiresAt: Int64
    /// Seconds since 1970.
    public let issuedAt: Int64?
    /// `session_id`, by which a single session is revoked.
    public let sessionID: String?
    /// The claims as the token holds them: valid JSON, for `request.jwt.claims`.
    public let claimsJSON: [UInt8]
}
