import Testing

@testable import Crypto

@Suite struct HashTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func sha256OfKnownTexts(text: String, digest: String) {
        #expect(SHA256.hex(Array(text.utf8)) == digest)
    }

    /// RFC 4231, test case 2.
    @Test func hmacOfKnownText() {
        let code = hmacSHA256(key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
        #expect(Base64URL.encode(code) == "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM")
    }

    @Test func comparesWholeTexts() {
        #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
        #expect(constantTimeEqual([], []))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEqual([1, 2, 3], [1, 2]))
    }

    @Test func randomBytesDiffer() {
        #expect(randomBytes(32).count == 32)
        #expect(randomBytes(32) != randomBytes(32))
        #expect(randomBytes(0) == [])
    }
}

@Suite struct Base64URLTests {
    @Test func roundTripsEveryLength() {
        for count in 0..<70 {
            let bytes = randomBytes(count)
            let text = Base64URL.encode(bytes)
            #expect(text.utf8.allSatisfy { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "+") })
            #expect(Base64URL.decode(text.utf8) == bytes)
        }
    }

    /// RFC 7515 appendix C.
    @Test func encodesKnownBytes() {
        #expect(Base64URL.encode([3, 236, 255, 224, 193]) == "A-z_4ME")
    }

    /// Every text that is not the one encoding of some bytes: two texts must never mean the same token.
    @Test(arguments: [
        "A", "AAAAA",  // a length that cannot be
        "AA==", "AAA=", "=",  // padding
        "AB", "AAB", "A-z_4MF",  // bits that nothing uses
        "A+z/", "A z_", "AAA\n", "AÄ", "A.A",  // other characters
    ])
    func refusesAllButOneEncoding(text: String) {
        #expect(Base64URL.decode(text.utf8) == nil)
    }
}
