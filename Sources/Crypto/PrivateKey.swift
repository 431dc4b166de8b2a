internal import COpenSSL

/// A private key that signs, or agrees on a secret; owns one `EVP_PKEY`.
public final class PrivateKey: @unchecked Sendable {
    // Sendable because the key is never changed after init: "objects are thread-safe as long as the API's being invoked
    // don't modify the object" (openssl-threads(7)), and signing and deriving only take a reference.
    private let key: OpaquePointer
    public let kind: Kind

    /// The kinds of key, each with its one signature scheme.
    public enum Kind: Sendable {
        /// RSASSA-PKCS1-v1_5 with SHA-256 (RS256).
        case rsa
        /// ECDSA on P-256 with SHA-256, a signature being r || s (ES256), and ECDH.
        case p256
    }

    /// The key of a PEM text: PKCS#8 that is not encrypted, as Apple, Google and `openssl genpkey` write it.
    ///
    /// - Returns: nil if it holds no P-256 key and no RSA key of at least 2048 bits.
    public convenience init?(pem: [UInt8]) {
        guard let key = parley_pem_private_key(pem, pem.count) else {
            ERR_clear_error()
            return nil
        }
        self.init(taking: key)
    }

    /// A P-256 key from its scalar and its uncompressed point (65 bytes); nil if they are not a pair.
    public convenience init?(p256 scalar: [UInt8], point: [UInt8]) {
        guard scalar.count == 32, point.count == 65, let key = parley_p256_pair(scalar, point) else {
            ERR_clear_error()
            return nil
        }
        self.init(taking: key)
    }

    /// A new P-256 key.
    public static func p256() -> PrivateKey {
        guard let made = parley_p256_generate(), let key = PrivateKey(taking: made, check: false) else {
            preconditionFailure("P-256 is not available")
        }
        return key
    }

    /// Takes over one reference, also when it returns nil.
    ///
    /// - Parameter check: look whether the halves belong together; a pair that was just made needs no look.
    private init?(taking key: OpaquePointer, check: Bool = true) {
        self.key = key
        if EVP_PKEY_is_a(key, "RSA") == 1, EVP_PKEY_get_bits(key) >= 2048 {
            self.kind = .rsa
        } else if EVP_PKEY_is_a(key, "EC") == 1, Self.isP256(key) {
            self.kind = .p256
        } else {
            // without a kind there is no object yet, and no deinit of it
            EVP_PKEY_free(key)
            return nil
        }
        guard !check || Self.isPair(key) else { return nil }
    }

    deinit { EVP_PKEY_free(self.key) }

    private static func isP256(_ key: OpaquePointer) -> Bool {
        var name = [CChar](repeating: 0, count: 32)
        var length = 0
        return EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1
            && name[..<length].elementsEqual("prime256v1".utf8.map { CChar(bitPattern: $0) })
    }

    private static func isPair(_ key: OpaquePointer) -> Bool {
        guard let context = EVP_PKEY_CTX_new(key, nil) else { return false }
        defer {
            EVP_PKEY_CTX_free(context)
            ERR_clear_error()
        }
        return EVP_PKEY_pairwise_check(context) == 1
    }

    /// The public half of a P-256 key as an uncompressed point (65 bytes).
    public var publicPoint: [UInt8] {
        precondition(self.kind == .p256, "only a P-256 key has a point")
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = EVP_PKEY_get1_encoded_public_key(self.key, &bytes)
        defer { CRYPTO_free(bytes, "", 0) }
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }

    /// The signature over `message`: r || s of a P-256 key, PKCS#1 v1.5 of an RSA key.
    public func signature(over message: [UInt8]) -> [UInt8] {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        var out = [UInt8](repeating: 0, count: Int(EVP_PKEY_get_size(self.key)))
        var count = out.count
        let isDone =
            EVP_DigestSignInit(context, nil, EVP_sha256(), nil, self.key) == 1
            && EVP_DigestSign(context, &out, &count, message, message.count) == 1
        precondition(isDone, "a checked key cannot sign")
        guard self.kind == .p256 else { return Array(out[..<count]) }
        var raw = [UInt8](repeating: 0, count: 64)
        precondition(parley_p256_signature_raw(out, count, &raw) == 1, "OpenSSL made no ECDSA signature")
        return raw
    }

    /// What this P-256 key and the one of `point` have in common (ECDH): the x coordinate, 32 bytes.
    ///
    /// - Returns: nil if `point` is not an uncompressed point on the curve.
    public func sharedSecret(with point: [UInt8]) -> [UInt8]? {
        precondition(self.kind == .p256, "only a P-256 key can agree on a secret")
        defer { ERR_clear_error() }
        guard point.count == 65, point[0] == 4, let peer = parley_p256_key(point, point.count) else { return nil }
        defer { EVP_PKEY_free(peer) }
        guard let context = EVP_PKEY_CTX_new(self.key, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var secret = [UInt8](repeating: 0, count: 32)
        var count = secret.count
        guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_derive_set_peer(context, peer) == 1,
            EVP_PKEY_derive(context, &secret, &count) == 1, count == 32
        else { return nil }
        return secret
    }
}
