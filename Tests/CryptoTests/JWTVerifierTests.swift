import Testing

@testable import Crypto

/// Tokens for the tests, made by hand so that every part can be wrong.
enum Forge {
    static let secret = Array("a secret of the tests, long enough for it".utf8)
    static let now: Int64 = 1_000_000
    static let goodClaims = #"{"sub":"u","role":"authenticated","exp":1000060}"#

    static func token(
        header: String = #"{"alg":"HS256","typ":"JWT"}"#, claims: String = goodClaims, secret: [UInt8] = secret
    ) -> String {
        let input = Base64URL.encode(Array(header.utf8)) + "." + Base64URL.encode(Array(claims.utf8))
        return input + "." + Base64URL.encode(hmacSHA256(key: secret, Array(input.utf8)))
    }

    static func jwks(_ keys: String...) -> [UInt8] { Array(#"{"keys":[\#(keys.joined(separator: ","))]}"#.utf8) }

    static func verifier(jwks: [UInt8]? = nil, policy: JWTPolicy = JWTPolicy()) throws -> JWTVerifier {
        let key = try #require(JWTKey(hs256: secret))
        let keys = if let jwks { try JWTKeySet(jwks: jwks, secret: key) } else { JWTKeySet(secret: key) }
        return JWTVerifier(keys: keys, policy: policy)
    }

    static func code(_ token: String, _ verifier: JWTVerifier, now: Int64 = now) -> JWTError.Code? {
        do throws(JWTError) {
            _ = try verifier.verify(token, now: now)
            return nil
        } catch {
            return error.code
        }
    }
}

@Suite struct JWTVerifierTests {
    @Test func acceptsAGoodToken() throws {
        let claims =
            #"{"sub":"u","role":"authenticated","exp":1000060,"iat":999999,"session_id":"s","x":[1,{"y":null}]}"#
        let token = try Forge.verifier().verify(Forge.token(claims: claims), now: Forge.now)
        #expect(token.subject == "u")
        #expect(token.role == "authenticated")
        #expect(token.expiresAt == 1_000_060)
        #expect(token.issuedAt == 999_999)
        #expect(token.sessionID == "s")
        #expect(token.claimsJSON == Array(claims.utf8))
    }

    @Test func acceptsWhatTheSignerMakes() throws {
        let signer = try #require(JWTSigner.hs256(Forge.secret))
        let token = try Forge.verifier().verify(signer.sign(Array(Forge.goodClaims.utf8)), now: Forge.now)
        #expect(token.role == "authenticated")
        #expect(JWTSigner.hs256(Array(repeating: 1, count: 31)) == nil)
        #expect(JWTKey(hs256: Array(repeating: 1, count: 31)) == nil)
    }

    @Test(arguments: [
        (JWTVectors.rsaToken, JWTVectors.rsaJWK), (JWTVectors.p256Token, JWTVectors.p256JWK),
        (JWTVectors.ed25519Token, JWTVectors.ed25519JWK),
    ])
    func acceptsTokensOfAnotherImplementation(token: String, jwk: String) throws {
        let keys = Forge.jwks(JWTVectors.rsaJWK, JWTVectors.p256JWK, JWTVectors.ed25519JWK)
        let verifier = try Forge.verifier(jwks: keys)
        #expect(verifier.keys.ignored.isEmpty)
        let verified = try verifier.verify(token, now: Forge.now)
        #expect(verified.role == "authenticated" && verified.expiresAt == JWTVectors.expiresAt)
        #expect(Forge.code(token, verifier, now: JWTVectors.expiresAt) == .expired)

        // Any other byte in any part.
        for index in token.utf8.indices where token.utf8[index] != UInt8(ascii: ".") {
            var bytes = Array(token.utf8)
            let place = token.utf8.distance(from: token.utf8.startIndex, to: index)
            bytes[place] = bytes[place] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(Forge.code(String(decoding: bytes, as: UTF8.self), verifier) != nil)
        }
        // Without its key, and with its key only.
        #expect(Forge.code(token, try Forge.verifier()) == .noKey)
        #expect(Forge.code(token, try Forge.verifier(jwks: Forge.jwks(jwk))) == nil)
    }

    // MARK: - Form

    @Test(arguments: [
        "", ".", "..", "a.b", "a.b.c", "a.b.c.d", "eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9.e30", " ",
        "\u{0}.\u{0}.\u{0}", "𝕏.𝕏.𝕏",
    ])
    func refusesWhatIsNoToken(text: String) throws {
        #expect(Forge.code(text, try Forge.verifier()) == .malformed)
    }

    @Test func refusesOtherEncodingsOfAGoodToken() throws {
        let verifier = try Forge.verifier()
        let good = Forge.token()
        #expect(Forge.code(good, verifier) == nil)
        #expect(Forge.code(good + "=", verifier) == .malformed)
        #expect(Forge.code(" " + good, verifier) == .malformed)
        #expect(Forge.code(good + "\n", verifier) == .malformed)
        // The signature has 32 bytes: two bits of its last character carry nothing, and must be zero.
        let last = try #require(good.last)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        for character in alphabet where character != last {
            #expect(Forge.code(String(good.dropLast()) + String(character), verifier) != nil)
        }
    }

    @Test func refusesLongTokensAndHeaders() throws {
        let verifier = try Forge.verifier()
        func claims(padding: Int) -> String {
            #"{"role":"a","exp":1000060,"p":"\#(String(repeating: "x", count: padding))"}"#
        }
        #expect(Forge.code(Forge.token(claims: claims(padding: 6000)), verifier) == nil)
        #expect(Forge.code(Forge.token(claims: claims(padding: 6200)), verifier) == .malformed)
        func header(padding: Int) -> String {
            #"{"alg":"HS256","p":"\#(String(repeating: "x", count: padding))"}"#
        }
        #expect(Forge.code(Forge.token(header: header(padding: 2000)), verifier) == nil)
        #expect(Forge.code(Forge.token(header: header(padding: 2048)), verifier) == .malformed)
    }

    @Test(arguments: [
        "[]", "null", "\"HS256\"", "{", #"{"alg":"HS256"} x"#, #"{"alg":"HS256","alg":"HS256"}"#, #"{"typ":"JWT"}"#,
        #"{"alg":null}"#, #"{"alg":1}"#, #"{"alg":["HS256"]}"#, #"{"alg":"HS256","kid":1}"#,
        #"{"alg":"HS256","kid":{}}"#, #"{"alg":"HS256","x":{"a":1,"a":2}}"#,
    ])
    func refusesBrokenHeaders(header: String) throws {
        #expect(Forge.code(Forge.token(header: header), try Forge.verifier()) == .malformed)
    }

    @Test(arguments: [
        "[]", "null", "1", "", #"{"role":"a","exp":1000060"#, #"{"role":"a","exp":1000060,"role":"b"}"#,
        #"{"role":"a","exp":1,"exp":1000060}"#, "\u{FEFF}{\"role\":\"a\",\"exp\":1000060}",
    ])
    func refusesBrokenClaims(claims: String) throws {
        #expect(Forge.code(Forge.token(claims: claims), try Forge.verifier()) == .malformed)
    }

    @Test(arguments: [
        #""crit":["exp"]"#, #""crit":[]"#, #""b64":false"#, #""b64":true"#, #""jwk":{"kty":"oct","k":"AA"}"#,
        #""jku":"https://example.com/keys"#, #""x5u":"https://example.com/cert"#, #""x5c":[]"#, #""zip":"DEF"#,
        #""enc":"A256GCM"#, #""typ":"JWE"#, #""typ":1"#,
    ])
    func refusesHeadersThatChangeTheRules(member: String) throws {
        let closed = member.filter { $0 == "\"" }.count % 2 == 0 ? member : member + "\""
        let token = Forge.token(header: #"{"alg":"HS256",\#(closed)}"#)
        #expect(Forge.code(token, try Forge.verifier()) == .refused)
    }

    @Test(arguments: ["JWT", "jwt", "at+jwt"])
    func acceptsTheTypesOfTokens(type: String) throws {
        #expect(Forge.code(Forge.token(header: #"{"alg":"HS256","typ":"\#(type)"}"#), try Forge.verifier()) == nil)
    }

    // MARK: - Algorithm and key

    @Test(arguments: [
        "none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "HS384", "HS512", "RS256", "ES256", "EdDSA", "PS256",
    ])
    func refusesEveryOtherAlgorithmForTheSecret(algorithm: String) throws {
        let verifier = try Forge.verifier()
        let header = #"{"alg":"\#(algorithm)","typ":"JWT"}"#
        #expect(Forge.code(Forge.token(header: header), verifier) == .noKey)
        // And without any signature.
        let parts = Forge.token(header: header).split(separator: ".")
        #expect(Forge.code("\(parts[0]).\(parts[1]).", verifier) == .noKey)
    }

    @Test func refusesAnotherOrNoSignature() throws {
        let verifier = try Forge.verifier()
        #expect(
            Forge.code(Forge.token(secret: Array("another secret, also long enough".utf8)), verifier) == .badSignature)
        let parts = Forge.token().split(separator: ".")
        #expect(Forge.code("\(parts[0]).\(parts[1]).", verifier) == .badSignature)
        #expect(Forge.code(Forge.token(secret: []), verifier) == .badSignature)
    }

    /// The public key as an HMAC secret: the classic confusion.
    @Test(arguments: [JWTVectors.rsaPEM, JWTVectors.rsaPEM + "\n", JWTVectors.rsaJWK])
    func refusesPublicKeysAsSecrets(text: String) throws {
        let verifier = try Forge.verifier(jwks: Forge.jwks(JWTVectors.rsaJWK))
        for header in [#"{"alg":"HS256","kid":"rsa"}"#, #"{"alg":"HS256"}"#, #"{"alg":"HS256","kid":"other"}"#] {
            let code = Forge.code(Forge.token(header: header, secret: Array(text.utf8)), verifier)
            #expect(code == (header.contains("rsa") ? .refused : .badSignature))
        }
    }

    @Test(arguments: [
        ("RS256", "p256"), ("RS256", "ed25519"), ("ES256", "rsa"), ("ES256", "ed25519"), ("EdDSA", "rsa"),
        ("PS256", "rsa"), ("RS512", "rsa"), ("ES384", "p256"), ("HS256", "rsa"), ("HS256", "p256"), ("none", "rsa"),
    ])
    func refusesAlgorithmsThatDoNotFitTheKey(algorithm: String, keyID: String) throws {
        let keys = Forge.jwks(JWTVectors.rsaJWK, JWTVectors.p256JWK, JWTVectors.ed25519JWK)
        let token = Forge.token(header: #"{"alg":"\#(algorithm)","kid":"\#(keyID)"}"#)
        #expect(Forge.code(token, try Forge.verifier(jwks: keys)) == .refused)
    }

    @Test(arguments: ["RS256", "ES256", "EdDSA"])
    func requiresTheNameOfAPublicKey(algorithm: String) throws {
        let keys = Forge.jwks(JWTVectors.rsaJWK, JWTVectors.p256JWK, JWTVectors.ed25519JWK)
        #expect(Forge.code(Forge.token(header: #"{"alg":"\#(algorithm)"}"#), try Forge.verifier(jwks: keys)) == .noKey)
    }

    @Test func fallsBackToTheSecretForUnknownNames() throws {
        let verifier = try Forge.verifier(jwks: Forge.jwks(JWTVectors.rsaJWK))
        #expect(Forge.code(Forge.token(header: #"{"alg":"HS256","kid":"unknown"}"#), verifier) == nil)
        let asymmetric = Forge.token(header: #"{"alg":"RS256","kid":"unknown"}"#)
        do throws(JWTError) {
            _ = try verifier.verify(asymmetric, now: Forge.now)
            Issue.record("accepted")
        } catch {
            #expect(error.code == .noKey && error.keyID == "unknown")
        }
    }

    @Test func usesANamedSecret() throws {
        let secret = randomBytes(32)
        let jwk = #"{"kty":"oct","kid":"shared","k":"\#(Base64URL.encode(secret))"}"#
        let verifier = try Forge.verifier(jwks: Forge.jwks(jwk))
        let header = #"{"alg":"HS256","kid":"shared"}"#
        #expect(Forge.code(Forge.token(header: header, secret: secret), verifier) == nil)
        // The shared secret does not stand in for a key that is there.
        #expect(Forge.code(Forge.token(header: header), verifier) == .badSignature)
    }

    @Test func refusesPsychicAndMissizedSignatures() throws {
        let verifier = try Forge.verifier(
            jwks: Forge.jwks(JWTVectors.p256JWK, JWTVectors.ed25519JWK, JWTVectors.rsaJWK))
        for token in [JWTVectors.p256Token, JWTVectors.ed25519Token, JWTVectors.rsaToken] {
            let dot = try #require(token.lastIndex(of: "."))
            let input = token[...dot]
            let good = try #require(Base64URL.decode(token[token.index(after: dot)...].utf8))
            #expect(Forge.code(input + Base64URL.encode(good), verifier) == nil)
            let zeros = [UInt8](repeating: 0, count: good.count)
            // r = s = the order of P-256, which is zero modulo itself.
            let order: [UInt8] = [
                0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
                0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
            ]
            let wrong: [[UInt8]] = [
                [], [0], zeros, Array(good.dropLast()), good + [0], [0] + good, Array(good.reversed()), order + order,
                Array(good.prefix(32)) + [UInt8](repeating: 0, count: 32),
                [UInt8](repeating: 0, count: 32) + Array(good.suffix(32)), [UInt8](repeating: 0xff, count: good.count),
                [UInt8](repeating: 0xff, count: 4096), [0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01],
            ]
            for signature in wrong {
                #expect(Forge.code(input + Base64URL.encode(signature), verifier) == .badSignature)
            }
        }
    }

    // MARK: - Claims

    @Test(arguments: [
        #"{}"#, #"{"exp":1000060}"#, #"{"role":"a"}"#, #"{"role":null,"exp":1000060}"#, #"{"role":1,"exp":1000060}"#,
        #"{"role":"","exp":1000060}"#, #"{"role":["a"],"exp":1000060}"#,
    ])
    func requiresRoleAndExpiry(claims: String) throws {
        #expect(Forge.code(Forge.token(claims: claims), try Forge.verifier()) == .missingClaims)
    }

    @Test(arguments: [
        "\"1000060\"", "null", "true", "[]", "{}", "1e300", "1e400", "-1e400", "999999999999999999999", "1000060000000",
    ])
    func refusesWhatIsNoTime(value: String) throws {
        let verifier = try Forge.verifier()
        for name in ["exp", "iat", "nbf"] {
            let exp = name == "exp" ? "" : #""exp":1000060,"#
            let token = Forge.token(claims: #"{"role":"a",\#(exp)"\#(name)":\#(value)}"#)
            #expect(Forge.code(token, verifier) == .invalidExpiry)
        }
    }

    /// `exp` has no leeway and decimals are rounded, as upstream has it.
    @Test(arguments: [
        ("1000001", Int64?.none), ("1000000", 0), ("999995", 5), ("0", 1_000_000), ("-10", 1_000_010),
        ("1000000.6", nil),
        ("1000000.4", 0), ("999999.9", 0), ("1.000001e6", nil), ("1000060.0", nil),
    ])
    func expiresExactly(exp: String, secondsAgo: Int64?) throws {
        let verifier = try Forge.verifier()
        do throws(JWTError) {
            _ = try verifier.verify(Forge.token(claims: #"{"role":"a","exp":\#(exp)}"#), now: Forge.now)
            #expect(secondsAgo == nil)
        } catch {
            #expect(error.code == .expired)
            #expect(error.secondsAgo == secondsAgo)
            #expect(error.joinReason == "InvalidJWTToken: Token has expired \(error.secondsAgo) seconds ago")
        }
    }

    @Test func allowsAMinuteOfClockDifference() throws {
        let verifier = try Forge.verifier()
        func code(_ member: String) -> JWTError.Code? {
            Forge.code(Forge.token(claims: #"{"role":"a","exp":1000600,\#(member)}"#), verifier)
        }
        #expect(code(#""nbf":1000060"#) == nil)
        #expect(code(#""nbf":1000061"#) == .notYetValid)
        #expect(code(#""iat":1000060"#) == nil)
        #expect(code(#""iat":1000061"#) == .issuedInFuture)
    }

    @Test func checksIssuerAndAudienceExactly() throws {
        let verifier = try Forge.verifier(policy: JWTPolicy(issuer: "https://a.example", audience: "authenticated"))
        func code(_ member: String) -> JWTError.Code? {
            Forge.code(Forge.token(claims: #"{"role":"a","exp":1000060,\#(member)}"#), verifier)
        }
        let issuer = #""iss":"https://a.example","#
        #expect(code(issuer + #""aud":"authenticated""#) == nil)
        #expect(code(issuer + #""aud":["x","authenticated"]"#) == nil)
        #expect(code(issuer + #""aud":"Authenticated""#) == .wrongAudience)
        #expect(code(issuer + #""aud":["x"]"#) == .wrongAudience)
        #expect(code(issuer + #""aud":[["authenticated"]]"#) == .wrongAudience)
        #expect(code(issuer + #""x":1"#) == .wrongAudience)
        #expect(code(#""iss":"https://a.example/","aud":"authenticated""#) == .wrongIssuer)
        #expect(code(#""iss":["https://a.example"],"aud":"authenticated""#) == .wrongIssuer)
        #expect(code(#""aud":"authenticated""#) == .wrongIssuer)
    }
}
