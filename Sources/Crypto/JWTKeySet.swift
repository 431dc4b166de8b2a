internal import ParleyCore

/// The keys that tokens may be signed with: one shared secret, and named keys of a JSON Web Key Set.
public struct JWTKeySet: Sendable {
    /// What a set may hold; more are ignored, so that looking for a key stays cheap.
    public static let mostKeys = 100

    private let secret: JWTKey?
    private let named: [String: [JWTKey]]
    /// Keys of the set that were left out, and why (RFC 7517 section 5: keys not understood are ignored).
    public let ignored: [JWKError]

    /// - Parameter secret: for HS256 tokens whose `kid` names no key.
    public init(secret: JWTKey?) {
        self.secret = secret
        self.named = [:]
        self.ignored = []
    }

    /// - Parameters:
    ///   - jwks: a JWK Set as JSON.
    ///   - secret: for HS256 tokens whose `kid` names no key of the set.
    /// - Throws: ``JWKError`` if the text is no JWK Set. A set without usable keys is valid.
    public init(jwks: [UInt8], secret: JWTKey?) throws(JWKError) {
        let keys: [JSONValue]
        do {
            guard let array = try JSONValue.parse(jwks, maxDepth: 8)["keys"]?.array else {
                throw JWKError(nil, "the key set has no array of keys")
            }
            keys = array
        } catch let error as JWKError {
            throw error
        } catch {
            throw JWKError(nil, "the key set is not JSON: \(error)")
        }
        var named: [String: [JWTKey]] = [:]
        var ignored: [JWKError] = []
        for jwk in keys.prefix(Self.mostKeys) {
            do throws(JWKError) {
                let key = try JWTKey.jwk(jwk)
                let name = key.keyID ?? ""
                guard !(named[name] ?? []).contains(where: { !Set($0.algorithms).isDisjoint(with: key.algorithms) })
                else { throw JWKError(name, "another key of this name and algorithm comes before") }
                named[name, default: []].append(key)
            } catch {
                ignored.append(error)
            }
        }
        if keys.count > Self.mostKeys { ignored.append(JWKError(nil, "more than \(Self.mostKeys) keys")) }
        self.secret = secret
        self.named = named
        self.ignored = ignored
    }

    /// Names of the usable keys.
    public var keyIDs: [String] { self.named.keys.sorted() }

    /// The only key that may verify a token with this header.
    ///
    /// The header chooses among keys by name, never the algorithm of a key: a key serves its own algorithm only. A name
    /// that is unknown falls back to the secret for HS256, as tokens of Supabase need; a name that is known does not.
    func key(algorithm: String, keyID: String?) throws(JWTError) -> JWTKey {
        if let keyID, let keys = self.named[keyID] {
            guard let key = keys.first(where: { $0.algorithms.contains(algorithm) }) else {
                throw JWTError(.refused, detail: "alg does not fit the key")
            }
            return key
        }
        if let secret = self.secret, secret.algorithms.contains(algorithm) { return secret }
        throw JWTError(.noKey, keyID: keyID)
    }
}
