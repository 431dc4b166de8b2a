import Testing

@testable import Crypto

@Suite struct JWKTests {
    /// Tokens of RFC 7515 appendix A.1 to A.3 and RFC 8037 appendix A.4, with their keys. Their claims have no role, so a
    /// good signature shows as the next fault.
    static let published = [
        (
            #"{"kty":"oct","kid":"k","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        ),
        (
            #"{"kty":"RSA","kid":"k","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
        ),
        (
            #"{"kty":"EC","kid":"k","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        ),
        (
            #"{"kty":"OKP","kid":"k","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        ),
    ]

    @Test(arguments: published)
    func verifiesPublishedSignatures(jwk: String, input: String, signature: String) throws {
        let set = try JWTKeySet(jwks: Forge.jwks(jwk), secret: nil)
        #expect(set.ignored.isEmpty && set.keyIDs == ["k"])
        let algorithm =
            jwk.contains("oct") ? "HS256" : jwk.contains("RSA") ? "RS256" : jwk.contains("EC") ? "ES256" : "EdDSA"
        let key = try set.key(algorithm: algorithm, keyID: "k")
        var bytes = try #require(Base64URL.decode(signature.utf8))
        #expect(key.verifies(bytes, of: Array(input.utf8)[...]))
        #expect(!key.verifies(bytes, of: Array((input + "A").utf8)[...]))
        bytes[bytes.count / 2] ^= 1
        #expect(!key.verifies(bytes, of: Array(input.utf8)[...]))
    }

    private func ignored(_ jwk: String) throws -> String? {
        let set = try JWTKeySet(jwks: Forge.jwks(jwk), secret: nil)
        #expect(set.keyIDs.count + set.ignored.count == 1)
        return set.ignored.first?.reason
    }

    private static let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

    @Test(arguments: [
        (#"{"kty":"OKP","crv":"Ed25519","x":"\#(x)"}"#, "kid"),
        (#"{"kid":"","kty":"OKP","crv":"Ed25519","x":"\#(x)"}"#, "kid"),
        (#"{"kid":"a","crv":"Ed25519","x":"\#(x)"}"#, "kty"),
        (#"{"kid":"a","kty":"okp","crv":"Ed25519","x":"\#(x)"}"#, "kty"),
        (#"{"kid":"a","kty":"OKP","crv":"Ed448","x":"\#(x)"}"#, "crv"),
        (#"{"kid":"a","kty":"OKP","crv":"Ed25519","x":"AA"}"#, "Ed25519"),
        (#"{"kid":"a","kty":"OKP","crv":"Ed25519","x":"\#(x)=="}"#, "base64url"),
        (#"{"kid":"a","kty":"OKP","crv":"Ed25519","x":"\#(x)","use":"enc"}"#, "use"),
        (#"{"kid":"a","kty":"OKP","crv":"Ed25519","x":"\#(x)","key_ops":["sign"]}"#, "key_ops"),
        (#"{"kid":"a","kty":"OKP","crv":"Ed25519","x":"\#(x)","alg":"ES256"}"#, "alg"),
        (#"{"kid":"a","kty":"oct","k":"AAAA"}"#, "32 bytes"),
        (#"{"kid":"a","kty":"EC","crv":"P-384","x":"\#(x)","y":"\#(x)"}"#, "crv"),
        (#"{"kid":"a","kty":"EC","crv":"P-256","x":"\#(x)","y":"\#(x)"}"#, "point"),
        (#"{"kid":"a","kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#, "point"),
        (#"{"kid":"a","kty":"RSA","n":"\#(x)","e":"AQAB"}"#, "2048"),
        (JWTVectors.weakJWK, "2048"),
        (#""text""#, "kty"), ("[]", "kty"),
    ])
    func ignoresUnusableKeys(jwk: String, reason: String) throws {
        let found = try #require(try self.ignored(jwk))
        #expect(found.contains(reason))
    }

    @Test(arguments: [
        ("AQAB", true), ("Aw", true), ("AAAD", true), ("AQ", false), ("Ag", false), ("AQAA", false), ("AQAAAAE", false),
    ])
    func requiresAnOddSmallExponent(exponent: String, usable: Bool) throws {
        let jwk = JWTVectors.rsaJWK.split(separator: #""e":"AQAB""#).joined(separator: #""e":"\#(exponent)""#)
        #expect(jwk.contains(exponent))
        #expect((try self.ignored(jwk) == nil) == usable)
    }

    @Test func keepsPinnedAlgorithms() throws {
        for (pin, usable) in [("RS256", true), ("RS384", false), ("RS512", false), ("PS256", false), ("rs256", false)] {
            let jwk = JWTVectors.rsaJWK.dropLast() + #","alg":"\#(pin)"}"#
            #expect((try self.ignored(String(jwk)) == nil) == usable)
        }
        let pinned = JWTVectors.ed25519JWK.dropLast() + #","alg":"Ed25519"}"#
        let set = try JWTKeySet(jwks: Forge.jwks(String(pinned)), secret: nil)
        #expect(throws: JWTError.self) { try set.key(algorithm: "EdDSA", keyID: "ed25519") }
        #expect(throws: Never.self) { try set.key(algorithm: "Ed25519", keyID: "ed25519") }
    }

    @Test func keepsTheFirstOfTwoKeysOfOneName() throws {
        let other = #"{"kid":"rsa","kty":"OKP","crv":"Ed25519","x":"\#(Self.x)"}"#
        let set = try JWTKeySet(jwks: Forge.jwks(JWTVectors.rsaJWK, JWTVectors.rsaJWK, other), secret: nil)
        #expect(set.ignored.count == 1 && set.keyIDs == ["rsa"])
        #expect(throws: Never.self) { try set.key(algorithm: "RS256", keyID: "rsa") }
        #expect(throws: Never.self) { try set.key(algorithm: "EdDSA", keyID: "rsa") }
    }

    @Test(arguments: ["", "{}", "[]", #"{"keys":{}}"#, #"{"keys":[],"keys":[]}"#, "<html>", #"{"keys":[]"#])
    func refusesWhatIsNoSet(text: String) {
        #expect(throws: JWKError.self) { try JWTKeySet(jwks: Array(text.utf8), secret: nil) }
    }

    @Test func boundsTheNumberOfKeys() throws {
        let keys = (0..<150).map { #"{"kid":"\#($0)","kty":"OKP","crv":"Ed25519","x":"\#(Self.x)"}"# }
        let set = try JWTKeySet(jwks: Array(#"{"keys":[\#(keys.joined(separator: ","))]}"#.utf8), secret: nil)
        #expect(set.keyIDs.count == JWTKeySet.mostKeys)
        #expect(set.ignored.count == 1)
    }
}

@Suite struct JWTErrorTextsTests {
    @Test(arguments: [
        (JWTError.Code.malformed, "MalformedJWT: The token provided is not a valid JWT", "PGRST301"),
        (.refused, "MalformedJWT: The token provided is not a valid JWT", "PGRST301"),
        (.badSignature, "JwtSignatureError: Failed to validate JWT signature", "PGRST301"),
        (
            .noKey, "JwtSignerError: Failed to generate JWT signer, check your JWT secret or JWKS configuration",
            "PGRST301"
        ),
        (.missingClaims, "InvalidJWTToken: Fields `role` and `exp` are required in JWT", "PGRST303"),
        (.invalidExpiry, "InvalidJWTToken: Token expiration time is invalid", "PGRST303"),
        (.expired, "InvalidJWTToken: Token has expired 0 seconds ago", "PGRST303"),
        (.notYetValid, "MalformedJWT: The token provided is not a valid JWT", "PGRST303"),
    ])
    func saysWhatClientsKnow(code: JWTError.Code, reason: String, postgrest: String) {
        #expect(JWTError(code).joinReason == reason)
        #expect(JWTError(code).postgrest.code == postgrest)
    }

    @Test func namesOnlyHarmlessKeys() {
        let text =
            "Failed to generate JWT signer for key ID (kid) \"key-1\", check your JWT secret or JWKS configuration"
        #expect(JWTError(.noKey, keyID: "key-1").handshakeText == text)
        for kid in ["a\"b", "a\\b", "a b", "a\n", "é"] {
            #expect(!JWTError(.noKey, keyID: kid).handshakeText.contains(kid))
        }
        #expect(JWTError(.expired, secondsAgo: 7).handshakeText == "Token has expired")
    }
}
