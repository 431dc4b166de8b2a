internal import ParleyCore

/// Signs tokens: with a shared secret, or with a private key.
public struct JWTSigner: Sendable {
    private enum Material: Sendable {
        case secret([UInt8])
        case key(PrivateKey)
    }

    private let material: Material
    /// base64url of the header.
    private let header: String

    /// - Returns: nil if the secret has fewer than ``JWTKey/shortestSecretBytes`` bytes.
    public static func hs256(_ secret: [UInt8]) -> JWTSigner? {
        secret.count >= JWTKey.shortestSecretBytes ? JWTSigner(.secret(secret), "HS256", nil) : nil
    }

    /// ES256 with a P-256 key, RS256 with an RSA key.
    ///
    /// - Parameter keyID: `kid` of the header, by which the verifier finds the public half.
    public init(_ key: PrivateKey, keyID: String? = nil) {
        self.init(.key(key), key.kind == .p256 ? "ES256" : "RS256", keyID)
    }

    private init(_ material: Material, _ algorithm: String, _ keyID: String?) {
        self.material = material
        var header: JSONObject = ["alg": .string(algorithm), "typ": "JWT"]
        if let keyID { header["kid"] = .string(keyID) }
        self.header = Base64URL.encode(header.serialized())
    }

    /// The compact form of a token with these claims, a JSON object.
    public func sign(_ claims: [UInt8]) -> String {
        let input = self.header + "." + Base64URL.encode(claims)
        let signature =
            switch self.material {
            case .secret(let secret): hmacSHA256(key: secret, Array(input.utf8))
            case .key(let key): key.signature(over: Array(input.utf8))
            }
        return input + "." + Base64URL.encode(signature)
    }
}
