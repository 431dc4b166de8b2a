import Testing

@testable import Crypto

@Suite struct PrivateKeyTests {
    private func key(_ pem: String) throws -> PrivateKey { try #require(PrivateKey(pem: Array(pem.utf8))) }

    @Test func es256IsVerifiedByThePublicHalf() throws {
        let key = try self.key(KeyVectors.p256PEM)
        #expect(key.kind == .p256)
        let point = key.publicPoint
        #expect(Base64URL.encode(point) == KeyVectors.p256Point)
        let publicKey = try #require(PublicKey(p256X: Array(point[1..<33]), y: Array(point[33...])))
        let message = Array("a message".utf8)
        // r or s is short in one of 128: then it is padded.
        for _ in 0..<300 {
            let signature = key.signature(over: message)
            #expect(signature.count == 64 && publicKey.verifies(signature, of: message[...]))
        }
        #expect(!publicKey.verifies(key.signature(over: [1]), of: message[...]))
    }

    @Test func rs256IsTheOneSignature() throws {
        let signer = JWTSigner(try self.key(KeyVectors.rsaPEM), keyID: "one")
        #expect(signer.sign(Array(#"{"iss":"service","exp":4102444800}"#.utf8)) == KeyVectors.rsaToken)
    }

    @Test(arguments: KeyVectors.refusedPEMs) func refusesOtherKeys(pem: String) {
        #expect(PrivateKey(pem: Array(pem.utf8)) == nil)
    }

    @Test func bothSidesAgreeOnASecret() throws {
        let one = PrivateKey.p256()
        let two = PrivateKey.p256()
        let secret = try #require(one.sharedSecret(with: two.publicPoint))
        #expect(secret == two.sharedSecret(with: one.publicPoint))
        #expect(secret != PrivateKey.p256().sharedSecret(with: one.publicPoint))
        var wrong = two.publicPoint
        wrong[64] ^= 1
        #expect(one.sharedSecret(with: wrong) == nil)
        #expect(one.sharedSecret(with: Array(two.publicPoint.dropLast())) == nil)
        #expect(one.sharedSecret(with: []) == nil)
    }

    @Test func aPairMustBelongTogether() {
        #expect(PrivateKey(p256: [UInt8](repeating: 1, count: 32), point: PrivateKey.p256().publicPoint) == nil)
    }
}

@Suite struct KeyDerivationTests {
    /// RFC 5869, test case 1.
    @Test func hkdfOfTheStandard() {
        let key = HKDF.extract(salt: Array(0...12), [UInt8](repeating: 0x0b, count: 22))
        #expect(Base64URL.encode(key) == "B3cJNiwuMt8N3D8NxHu6Y5C2xzu1D5wxIuyEStfCs-U")
        let made = HKDF.expand(key, info: Array(0xf0...0xf9), count: 42)
        #expect(Base64URL.encode(made) == "PLJfJfqs1XqQQ09k0DYvKi0tCpDPGlpMXbAtVuzExb80AHII1biHGFhl")
    }

    /// Test case 2 of the GCM specification, and its empty message.
    @Test func gcmOfTheStandard() {
        let zeros = [UInt8](repeating: 0, count: 16)
        let nonce = [UInt8](repeating: 0, count: 12)
        #expect(Base64URL.encode(AES128GCM.seal([], key: zeros, nonce: nonce)) == "WOL8zvp-MGE2fx1XpOdFWg")
        #expect(
            Base64URL.encode(AES128GCM.seal(zeros, key: zeros, nonce: nonce))
                == "A4jazmC2o5LzKMK5cbL-eKtuR9Qs7BO99TpnshJXvd8")
    }
}

@Suite struct WebPushEncryptionTests {
    private static func bytes(_ text: String) throws -> [UInt8] { try #require(Base64URL.decode(text.utf8)) }

    /// RFC 8291, Appendix A.
    @Test func theExampleOfTheStandardByteForByte() throws {
        let point =
            "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
        let key = try #require(
            PrivateKey(
                p256: Self.bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), point: Self.bytes(point)))
        let subscription = try #require(
            WebPushEncryption.Subscription(
                p256dh: Self.bytes(
                    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
                auth: Self.bytes("BTBZMqHH6r4Tts7J_aSIgg")))
        #expect(
            key.sharedSecret(with: subscription.point)
                == (try Self.bytes("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs")))
        let body = WebPushEncryption.seal(
            Array("When I grow up, I want to be a watermelon".utf8), for: subscription, key: key,
            salt: try Self.bytes("DGv6ra1nlYgDCS1FRnbzlw"))
        #expect(
            Base64URL.encode(body) == "DGv6ra1nlYgDCS1FRnbzlwAAEABBB"
                + "P4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A"
                + "_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN")
    }

    @Test func everyMessageHasKeysOfItsOwnAndNoLength() throws {
        let browser = PrivateKey.p256()
        let subscription = try #require(
            WebPushEncryption.Subscription(p256dh: browser.publicPoint, auth: randomBytes(16)))
        let one = WebPushEncryption.seal([1, 2, 3], for: subscription, paddedTo: 512)
        let two = WebPushEncryption.seal([], for: subscription, paddedTo: 512)
        #expect(one.count == 86 + 512 + 1 + 16 && two.count == one.count)
        #expect(one[..<16] != two[..<16] && one[21..<86] != two[21..<86])
        let longest = [UInt8](repeating: 7, count: WebPushEncryption.longestPlaintext)
        #expect(WebPushEncryption.seal(longest, for: subscription).count == 4096)
    }

    @Test func refusesSubscriptionsOfNoCurve() {
        let point = PrivateKey.p256().publicPoint
        let secret = [UInt8](repeating: 1, count: 16)
        #expect(WebPushEncryption.Subscription(p256dh: point, auth: secret) != nil)
        #expect(WebPushEncryption.Subscription(p256dh: point, auth: Array(secret.dropLast())) == nil)
        #expect(WebPushEncryption.Subscription(p256dh: Array(point.dropLast()), auth: secret) == nil)
        #expect(WebPushEncryption.Subscription(p256dh: [4] + [UInt8](repeating: 9, count: 64), auth: secret) == nil)
        #expect(WebPushEncryption.Subscription(p256dh: [2] + point.dropFirst(), auth: secret) == nil)
    }

    @Test(arguments: [
        "", "ops@example.org", "mailto:<ops@example.org>", "mailto:ops @example.org", "http://example.org",
    ])
    func vapidRefusesSubjectsThatPushServicesRefuse(subject: String) {
        #expect(VAPID(PrivateKey.p256(), subject: subject) == nil)
    }
}
