/// A key that verifies tokens, pinned to the one algorithm it is for.
public struct JWTKey: Sendable {
    /// The shortest HMAC key that HS256 may be used with (RFC 7518 section 3.2: the size of the hash).
    public static let shortestSecretBytes = 32

    enum Material: Sendable {
        case secret([UInt8])
        case publicKey(PublicKey)
    }

    let material: Material
    /// The values of the header's `alg` that the key serves, compared exactly.
    let algorithms: [String]
    /// The key's name; nil only for the shared secret.
    public let keyID: String?

    /// The shared secret of HS256 tokens.
    ///
    /// - Returns: nil if it has fewer than ``shortestSecretBytes`` bytes.
    public init?(hs256 secret: [UInt8], keyID: String? = nil) {
        guard secret.count >= Self.shortestSecretBytes else { return nil }
        self.init(.secret(secret), ["HS256"], keyID)
    }

    init(_ material: Material, _ algorithms: [String], _ keyID: String?) {
        self.material = material
        self.algorithms = algorithms
        self.keyID = keyID
    }

    func verifies(_ signature: [UInt8], of message: ArraySlice<UInt8>) -> Bool {
        switch self.material {
        case .secret(let secret): constantTimeEqual(hmacSHA256(key: secret, message), signature)
        case .publicKey(let key): key.verifies(signature, of: message)
        }
    }
}
