/// The sentences clients know, of Supabase Realtime and of PostgREST.
extension JWTError {
    /// The sentence of a `system` message or of a refused `access_token`.
    public var message: String {
        switch self.code {
        case .expired: "Token has expired \(self.secondsAgo) seconds ago"
        default: self.handshakeText
        }
    }

    /// The `error` of the 401 that answers a WebSocket handshake or a realtime request.
    public var handshakeText: String {
        switch self.code {
        case .expired: "Token has expired"
        case .missingClaims: "Fields `role` and `exp` are required in JWT"
        case .invalidExpiry: "Token expiration time is invalid"
        case .badSignature: "Failed to validate JWT signature"
        case .noKey:
            "Failed to generate JWT signer\(self.shownKeyID), check your JWT secret or JWKS configuration"
        default: "The token provided is not a valid JWT"
        }
    }

    /// The `reason` of a refused join: a code, a colon and the sentence.
    public var joinReason: String { "\(self.joinCode): \(self.message)" }

    private var joinCode: String {
        switch self.code {
        case .expired, .missingClaims, .invalidExpiry: "InvalidJWTToken"
        case .badSignature: "JwtSignatureError"
        case .noKey: "JwtSignerError"
        default: "MalformedJWT"
        }
    }

    private var shownKeyID: String {
        // A name is repeated only if it is harmless in a text: clients choose it.
        guard let keyID = self.keyID, keyID.utf8.allSatisfy({ (0x21...0x7e).contains($0) && $0 != 0x22 && $0 != 0x5c })
        else { return "" }
        return " for key ID (kid) \"\(keyID)\""
    }

    /// PostgREST's answer, always with status 401 and the header
    /// `WWW-Authenticate: Bearer error="invalid_token", error_description="<message>"`.
    public var postgrest: (code: String, message: String, details: String?) {
        switch self.code {
        case .expired: ("PGRST303", "JWT expired", nil)
        case .notYetValid: ("PGRST303", "JWT not yet valid", nil)
        case .issuedInFuture: ("PGRST303", "JWT issued at future", nil)
        case .wrongAudience: ("PGRST303", "JWT not in audience", nil)
        case .wrongIssuer: ("PGRST303", "JWT issuer is not accepted", nil)
        case .missingClaims: ("PGRST303", "The JWT claims 'role' and 'exp' are required", nil)
        case .invalidExpiry: ("PGRST303", self.detail ?? "The JWT 'exp' claim must be a number", nil)
        case .badSignature: ("PGRST301", "JWT cryptographic operation failed", nil)
        case .noKey:
            ("PGRST301", "No suitable key or wrong key type", "None of the keys was able to decode the JWT")
        case .refused: ("PGRST301", "Wrong or unsupported encoding algorithm", self.detail)
        default: ("PGRST301", "JWT couldn't be decoded", self.detail)
        }
    }
}
