internal import COpenSSL

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
    /// The digest, 32 bytes.
    public static func hash(_ bytes: some ContiguousBytesCollection) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let ok = bytes.withContiguousBytes { input in
            EVP_Digest(input.baseAddress, input.count, &digest, nil, EVP_sha256(), nil)
        }
        // The digest of a built-in algorithm fails only when memory is exhausted.
        precondition(ok == 1, "SHA-256 is not available")
        return digest
    }

    /// The digest in lower-case hexadecimal.
    public static func hex(_ bytes: some ContiguousBytesCollection) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let text = Self.hash(bytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }
}

/// HMAC with SHA-256 (RFC 2104), 32 bytes.
public func hmacSHA256(key: [UInt8], _ bytes: some ContiguousBytesCollection) -> [UInt8] {
    var code = [UInt8](repeating: 0, count: 32)
    let result = bytes.withContiguousBytes { input in
        HMAC(
            EVP_sha256(), key, Int32(key.count), input.bindMemory(to: UInt8.self).baseAddress, input.count, &code, nil)
    }
    precondition(result != nil, "HMAC-SHA-256 is not available")
    return code
}

/// Compares in a time that depends on the lengths only.
public func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}

/// Bytes of the operating system's generator, fit for keys.
public func randomBytes(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    // Without randomness no key may be made, and nothing sensible can follow.
    precondition(RAND_bytes(&bytes, Int32(count)) == 1, "no randomness")
    return bytes
}

/// A collection of bytes that lie side by side in memory.
public protocol ContiguousBytesCollection: Collection<UInt8> {
    /// Lends the memory for the call.
    func withContiguousBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result
}

extension Array: ContiguousBytesCollection where Element == UInt8 {
    public func withContiguousBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try self.withUnsafeBytes(body)
    }
}

extension ArraySlice: ContiguousBytesCollection where Element == UInt8 {
    public func withContiguousBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try self.withUnsafeBytes(body)
    }
}
