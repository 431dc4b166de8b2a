/// Signs tokens with a shared secret.
public struct JWTSigner: Sendable {
    let secret: [UInt8]

    /// - Returns: nil if the secret has fewer than ``JWTKey/shortestSecretBytes`` bytes.
    public static func hs256(_ secret: [UInt8]) -> JWTSigner? {
        secret.count >= JWTKey.shortestSecretBytes ? JWTSigner(secret: secret) : nil
    }

    /// The compact form of a token with these claims, a JSON object.
    public func sign(_ claims: [UInt8]) -> String {
        let header = Base64URL.encode(Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8))
        let input = header + "." + Base64URL.encode(claims)
        return input + "." + Base64URL.encode(hmacSHA256(key: self.secret, Array(input.utf8)))
    }
}
