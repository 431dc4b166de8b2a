internal import ParleyCore

extension JWTKey {
    /// A key from its JWK form (RFC 7517, RFC 7518 section 6, RFC 8037): RSA for RS256, P-256 for ES256, Ed25519 for
    /// EdDSA, `oct` for HS256. Private members are not read.
    ///
    /// - Throws: ``JWKError`` with the reason why the key cannot be used.
    static func jwk(_ jwk: JSONValue) throws(JWKError) -> JWTKey {
        let keyID = jwk["kid"]?.string
        guard let object = jwk.object, let kind = object["kty"]?.string else { throw JWKError(keyID, "kty is missing") }
        guard let keyID, !keyID.isEmpty, keyID.utf8.count <= JWTPolicy.longestKeyID else {
            throw JWKError(nil, "kid is missing or too long")
        }
        guard object["use"] == nil || object["use"] == "sig" else { throw JWKError(keyID, "use is not sig") }
        if let operations = object["key_ops"] {
            guard operations.array?.contains("verify") == true else { throw JWKError(keyID, "key_ops lacks verify") }
        }
        let (material, algorithms) = try Self.material(kind, object, keyID)
        guard let pin = object["alg"] else { return JWTKey(material, algorithms, keyID) }
        guard let name = pin.string, algorithms.contains(name) else {
            throw JWKError(keyID, "alg is not one of \(algorithms.joined(separator: ", "))")
        }
        return JWTKey(material, [name], keyID)
    }

    private static func material(
        _ kind: String, _ jwk: JSONObject, _ keyID: String
    ) throws(JWKError) -> (Material, [String]) {
        func bytes(_ name: String) throws(JWKError) -> [UInt8] {
            guard let text = jwk[name]?.string, text.utf8.count <= 2048, let value = Base64URL.decode(text.utf8) else {
                throw JWKError(keyID, "\(name) is not base64url")
            }
            return value
        }
        func curve(_ name: String) throws(JWKError) {
            guard jwk["crv"]?.string == name else { throw JWKError(keyID, "crv is not \(name)") }
        }
        switch kind {
        case "RSA":
            guard let key = PublicKey(rsaModulus: try bytes("n"), exponent: try bytes("e")) else {
                throw JWKError(keyID, "not an RSA key of 2048 to 8192 bits with an odd exponent")
            }
            return (.publicKey(key), ["RS256"])
        case "EC":
            try curve("P-256")
            guard let key = PublicKey(p256X: try bytes("x"), y: try bytes("y")) else {
                throw JWKError(keyID, "not a point of P-256")
            }
            return (.publicKey(key), ["ES256"])
        case "OKP":
            try curve("Ed25519")
            guard let key = PublicKey(ed25519: try bytes("x")) else { throw JWKError(keyID, "not an Ed25519 key") }
            // RFC 8037 calls the algorithm EdDSA, RFC 9864 Ed25519.
            return (.publicKey(key), ["EdDSA", "Ed25519"])
        case "oct":
            let secret = try bytes("k")
            guard secret.count >= Self.shortestSecretBytes else { throw JWKError(keyID, "secret below 32 bytes") }
            return (.secret(secret), ["HS256"])
        default: throw JWKError(keyID, "kty is not supported")
        }
    }
}

/// Why a key of a set cannot be used.
public struct JWKError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The key's `kid`, if it has one.
    public let keyID: String?
    /// What is wrong with it; no key material.
    public let reason: String

    init(_ keyID: String?, _ reason: String) {
        self.keyID = keyID
        self.reason = reason
    }

    public var description: String { "key \(self.keyID ?? "without kid"): \(self.reason)" }
}
