internal import ParleyCore

/// Verifies JSON Web Tokens (RFC 7519, compact serialization of RFC 7515) by the rules of RFC 8725.
///
/// The key pins the algorithm; nothing in the token chooses it, brings a key along, or is used before the signature has
/// been checked, except `kid` to look a key up in memory.
public struct JWTVerifier: Sendable {
    public let keys: JWTKeySet
    public let policy: JWTPolicy

    public init(keys: JWTKeySet, policy: JWTPolicy) {
        self.keys = keys
        self.policy = policy
    }

    /// - Parameter now: seconds since 1970.
    /// - Throws: the first fault found, in the order form, key, signature, claims.
    public func verify(_ token: String, now: Int64) throws(JWTError) -> VerifiedToken {
        let bytes = Array(token.utf8)
        guard bytes.count <= JWTPolicy.longestToken else { throw JWTError(.malformed, detail: "too long") }
        let dots = bytes.indices.filter { bytes[$0] == UInt8(ascii: ".") }
        guard dots.count == 2 else {
            throw JWTError(.malformed, detail: "Expected 3 parts in JWT; got \(dots.count + 1)")
        }
        guard let headerBytes = Base64URL.decode(bytes[..<dots[0]]), headerBytes.count <= JWTPolicy.longestHeader,
            let claimBytes = Base64URL.decode(bytes[(dots[0] + 1)..<dots[1]]),
            let signature = Base64URL.decode(bytes[(dots[1] + 1)...])
        else { throw JWTError(.malformed, detail: "not base64url, or the header is too long") }

        let header = try Self.object(headerBytes, "header")
        let claims = try Self.object(claimBytes, "claims")
        let (algorithm, keyID) = try Self.checked(header)
        let key = try self.keys.key(algorithm: algorithm, keyID: keyID)
        guard key.verifies(signature, of: bytes[..<dots[1]]) else { throw JWTError(.badSignature) }
        // The claims go to the database as they are, and no text there can hold it.
        guard (try? RawJSON(claimBytes))?.holdsZero == false else {
            throw JWTError(.malformed, detail: "the claims hold the character U+0000")
        }
        return try self.checked(claims, claimBytes, now: now)
    }

    private static func object(_ bytes: [UInt8], _ part: String) throws(JWTError) -> JSONObject {
        do {
            guard let object = try JSONValue.parse(bytes, maxDepth: 32, duplicateKeys: .refuse).object else {
                throw JWTError(.malformed, detail: "the \(part) is not a JSON object")
            }
            return object
        } catch let error as JWTError {
            throw error
        } catch {
            throw JWTError(.malformed, detail: "the \(part) is not JSON: \(error)")
        }
    }

    /// `alg` and `kid` of a header that asks for nothing we do not do: extensions (`crit`, `b64`), keys of its own
    /// (`jwk`, `jku`, `x5c`, `x5u`), compression, encryption.
    private static func checked(_ header: JSONObject) throws(JWTError) -> (algorithm: String, keyID: String?) {
        for name in ["crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc"] where header[name] != nil {
            throw JWTError(.refused, detail: "header \(name) is not accepted")
        }
        guard let algorithm = header["alg"]?.string else { throw JWTError(.malformed, detail: "alg is missing") }
        if let type = header["typ"] {
            guard let name = type.string?.lowercased(), ["jwt", "at+jwt", "application/at+jwt"].contains(name) else {
                throw JWTError(.refused, detail: "typ is not JWT")
            }
        }
        guard let keyID = header["kid"] else { return (algorithm, nil) }
        guard let name = keyID.string, name.utf8.count <= JWTPolicy.longestKeyID else {
            throw JWTError(.malformed, detail: "kid is not a short text")
        }
        return (algorithm, name)
    }

    private func checked(
        _ claims: JSONObject, _ json: [UInt8], now: Int64
    ) throws(JWTError) -> VerifiedToken {
        guard claims["exp"] != nil, let role = claims["role"]?.string, !role.isEmpty, role.utf8.count <= 63 else {
            throw JWTError(.missingClaims)
        }
        guard let expiresAt = try Self.time("exp", claims) else { throw JWTError(.missingClaims) }
        guard expiresAt > now else { throw JWTError(.expired, secondsAgo: now - expiresAt) }
        // Down: a token is never taken for newer than it is, and so for issued after a revocation.
        let issuedAt = try Self.time("iat", claims, .down)
        if let issuedAt, issuedAt > now + self.policy.leeway { throw JWTError(.issuedInFuture) }
        if let notBefore = try Self.time("nbf", claims), notBefore > now + self.policy.leeway {
            throw JWTError(.notYetValid)
        }
        if let issuer = self.policy.issuer, claims["iss"]?.string != issuer { throw JWTError(.wrongIssuer) }
        if let audience = self.policy.audience {
            let value = claims["aud"]
            guard value?.string == audience || value?.array?.contains(.string(audience)) == true else {
                throw JWTError(.wrongAudience)
            }
        }
        return VerifiedToken(
            subject: claims["sub"]?.string, role: role, expiresAt: expiresAt, issuedAt: issuedAt,
            sessionID: claims["session_id"]?.string, claimsJSON: json)
    }

    /// A NumericDate (RFC 7519 section 2), decimals rounded; nil if the claim is absent.
    private static func time(
        _ name: String, _ claims: JSONObject, _ rule: FloatingPointRoundingRule = .toNearestOrAwayFromZero
    ) throws(JWTError) -> Int64? {
        guard let value = claims[name] else { return nil }
        guard let number = value.number, case let seconds = number.double.rounded(rule),
            abs(seconds) <= Double(JWTPolicy.latestTime)
        else { throw JWTError(.invalidExpiry, detail: "The JWT '\(name)' claim must be a number") }
        return Int64(seconds)
    }
}
