/// Encrypts messages for a Web Push subscription (RFC 8291), as one record of `aes128gcm` (RFC 8188).
public enum WebPushEncryption {
    /// Size of the record that the header states, and of the largest body every push service accepts.
    public static let recordSize = 4096
    /// The most plaintext that fits: the header takes 86 bytes, the delimiter 1, the tag 16.
    public static let longestPlaintext = Self.recordSize - 86 - 1 - 16

    /// The keys of a subscription, as the browser gave them.
    public struct Subscription: Sendable, Equatable {
        /// `p256dh`, an uncompressed point.
        let point: [UInt8]
        /// `auth`, 16 bytes.
        let secret: [UInt8]

        /// Nil unless both have their length and the point is on the curve.
        public init?(p256dh: [UInt8], auth: [UInt8]) {
            guard p256dh.count == 65, p256dh[0] == 4, auth.count == 16,
                PublicKey(p256X: Array(p256dh[1..<33]), y: Array(p256dh[33...])) != nil
            else { return nil }
            self.point = p256dh
            self.secret = auth
        }
    }

    /// The body of a message, under a new key and salt.
    ///
    /// - Parameters:
    ///   - plaintext: at most ``longestPlaintext`` bytes.
    ///   - paddedTo: zeros are added up to so many bytes, which hide the length.
    public static func seal(_ plaintext: [UInt8], for subscription: Subscription, paddedTo: Int = 0) -> [UInt8] {
        let padding = max(0, min(paddedTo, Self.longestPlaintext) - plaintext.count)
        return Self.seal(
            plaintext, for: subscription, key: PrivateKey.p256(), salt: randomBytes(16), padding: padding)
    }

    /// The same with everything given.
    static func seal(
        _ plaintext: [UInt8], for subscription: Subscription, key: PrivateKey, salt: [UInt8], padding: Int = 0
    ) -> [UInt8] {
        precondition(plaintext.count + padding <= Self.longestPlaintext, "the message does not fit into one record")
        guard let agreed = key.sharedSecret(with: subscription.point) else {
            preconditionFailure("a checked point has no secret in common")
        }
        let point = key.publicPoint
        let material = HKDF.expand(
            HKDF.extract(salt: subscription.secret, agreed),
            info: Array("WebPush: info\0".utf8) + subscription.point + point, count: 32)
        let root = HKDF.extract(salt: salt, material)
        let contentKey = HKDF.expand(root, info: Array("Content-Encoding: aes128gcm\0".utf8), count: 16)
        let nonce = HKDF.expand(root, info: Array("Content-Encoding: nonce\0".utf8), count: 12)
        let size = UInt32(Self.recordSize)
        let header = salt + (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * $0)) } + [65] + point
        // 2 delimits the last record from its padding.
        let record = plaintext + [2] + [UInt8](repeating: 0, count: padding)
        return header + AES128GCM.seal(record, key: contentKey, nonce: nonce)
    }
}
