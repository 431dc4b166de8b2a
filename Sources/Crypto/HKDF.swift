/// Keys from other keys (RFC 5869) with HMAC-SHA256.
public enum HKDF {
    /// One pseudorandom key, 32 bytes, from material that is not evenly spread.
    public static func extract(salt: [UInt8], _ material: [UInt8]) -> [UInt8] { hmacSHA256(key: salt, material) }

    /// - Parameter count: bytes to make, at most 255 times 32.
    public static func expand(_ key: [UInt8], info: [UInt8], count: Int) -> [UInt8] {
        precondition(count <= 255 * 32, "HKDF makes at most 8160 bytes")
        var out: [UInt8] = []
        var block: [UInt8] = []
        var index: UInt8 = 1
        while out.count < count {
            block = hmacSHA256(key: key, block + info + [index])
            out += block
            index &+= 1
        }
        return Array(out[..<count])
    }
}
