internal import COpenSSL

/// A public key that verifies signatures; owns one `EVP_PKEY`.
final class PublicKey: @unchecked Sendable {
    // Sendable because the key is never changed after init: "objects are thread-safe as long as the API's being invoked
    // don't modify the object" (openssl-threads(7)), and verifying only takes a reference.
    private let key: OpaquePointer
    private let kind: Kind

    /// The kinds of key, each with its one signature scheme.
    enum Kind: Sendable {
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        case rsa
        /// ECDSA on P-256 with SHA-256; a signature is r || s.
        case p256
        case ed25519
    }

    /// Nil unless the modulus has 2048 to 8192 bits and the exponent is odd, at least 3 and below 2^32.
    init?(rsaModulus modulus: [UInt8], exponent: [UInt8]) {
        let modulus = modulus.drop { $0 == 0 }
        let exponent = exponent.drop { $0 == 0 }
        guard let first = modulus.first, let lowest = modulus.last, let last = exponent.last, exponent.count <= 4
        else { return nil }
        let bits = modulus.count * 8 - first.leadingZeroBitCount
        guard (2048...8192).contains(bits), last & 1 == 1, exponent.count > 1 || last >= 3, lowest & 1 == 1
        else { return nil }
        let made = modulus.withUnsafeBufferPointer { n in
            exponent.withUnsafeBufferPointer { e in parley_rsa_key(n.baseAddress, n.count, e.baseAddress, e.count) }
        }
        guard let made else { return nil }
        self.key = made
        self.kind = .rsa
    }

    /// Nil unless both coordinates have 32 bytes and the point is on the curve.
    init?(p256X x: [UInt8], y: [UInt8]) {
        guard x.count == 32, y.count == 32, let made = parley_p256_key([4] + x + y, 65) else { return nil }
        self.key = made
        self.kind = .p256
        guard self.isOnCurve else { return nil }
    }

    /// Nil unless the key has 32 bytes.
    init?(ed25519 raw: [UInt8]) {
        guard raw.count == 32, let made = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, raw, raw.count) else {
            return nil
        }
        self.key = made
        self.kind = .ed25519
    }

    deinit { EVP_PKEY_free(self.key) }

    private var isOnCurve: Bool {
        guard let context = EVP_PKEY_CTX_new(self.key, nil) else { return false }
        defer { EVP_PKEY_CTX_free(context) }
        return EVP_PKEY_public_check(context) == 1
    }

    /// Whether `signature` was made over `message` with the private half of this key.
    func verifies(_ signature: [UInt8], of message: ArraySlice<UInt8>) -> Bool {
        var signature = signature
        let digest: OpaquePointer?
        switch self.kind {
        case .rsa: digest = EVP_sha256()
        case .ed25519:
            guard signature.count == 64 else { return false }
            digest = nil
        case .p256:
            guard let der = Self.der(signature) else { return false }
            signature = der
            digest = EVP_sha256()
        }
        // A refused signature leaves entries on the thread's error queue, which nobody reads.
        defer { ERR_clear_error() }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        guard EVP_DigestVerifyInit(context, nil, digest, nil, self.key) == 1 else { return false }
        return message.withUnsafeBufferPointer { input in
            EVP_DigestVerify(context, signature, signature.count, input.baseAddress, input.count) == 1
        }
    }

    /// The DER form of r || s; nil unless it has exactly 64 bytes, checked before anything reads them. Zero for r or s
    /// is refused by ECDSA itself.
    private static func der(_ signature: [UInt8]) -> [UInt8]? {
        guard signature.count == 64 else { return nil }
        var out = [UInt8](repeating: 0, count: 72)
        let length = Int(parley_p256_signature_der(signature, &out))
        return length > 0 ? Array(out[..<length]) : nil
    }
}
