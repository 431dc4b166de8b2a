internal import ParleyCore

/// Says who sends a Web Push (RFC 8292).
public struct VAPID: Sendable {
    /// Longest life of a token: push services refuse more than a day.
    public static let longestLife: Int64 = 24 * 3600

    private let signer: JWTSigner
    /// The public key as browsers want it for `applicationServerKey`: base64url of the uncompressed point.
    public let publicKey: String
    private let subject: String

    /// - Parameters:
    ///   - key: P-256, and no other than the one subscriptions were made with.
    ///   - subject: where to reach the operator: a `mailto:` or `https:` URL, which Apple and Mozilla insist on.
    /// - Returns: nil if the key or the subject is another.
    public init?(_ key: PrivateKey, subject: String) {
        guard key.kind == .p256, subject.hasPrefix("mailto:") || subject.hasPrefix("https://"),
            !subject.utf8.contains(where: { $0 <= 0x20 || $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: ">") })
        else { return nil }
        self.signer = JWTSigner(key)
        self.publicKey = Base64URL.encode(key.publicPoint)
        self.subject = subject
    }

    /// The value of the header `authorization` for messages to one push service.
    ///
    /// - Parameters:
    ///   - origin: of the endpoint, as in `https://push.example`.
    ///   - expiresAt: seconds since 1970, at most a day ahead.
    public func authorization(for origin: String, expiresAt: Int64) -> String {
        let claims: JSONObject = ["aud": .string(origin), "exp": .int(expiresAt), "sub": .string(self.subject)]
        return "vapid t=\(self.signer.sign(claims.serialized())), k=\(self.publicKey)"
    }
}
