internal import Glibc

/// A block of IP addresses, as in `10.0.0.0/8` or `fd00::/8`.
public struct IPNetwork: Sendable, Equatable {
    /// 16 bytes; an IPv4 address stands behind `::ffff:`.
    private let bytes: [UInt8]
    private let bits: Int

    /// Nil unless `text` is an address, and behind a slash the number of its bits that count; without a slash all do.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bytes = Self.address(String(parts[0])) else { return nil }
        let most = parts[0].contains(":") ? 128 : 32
        guard let bits = parts.count == 1 ? most : Int(parts[1]), (0...most).contains(bits) else { return nil }
        self.bytes = bytes
        self.bits = 128 - most + bits
    }

    func contains(_ address: [UInt8]) -> Bool {
        let whole = self.bits / 8
        guard address.count == 16, address[..<whole] == self.bytes[..<whole] else { return false }
        let rest = self.bits % 8
        return rest == 0 || (address[whole] ^ self.bytes[whole]) >> (8 - rest) == 0
    }

    static func address(_ text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET6, text, &bytes) == 1 { return bytes }
        return inet_pton(AF_INET, text, &bytes) == 1 ? Self.mapped(bytes[..<4]) : nil
    }

    static func mapped(_ address: some Collection<UInt8>) -> [UInt8] {
        [UInt8](repeating: 0, count: 10) + [0xff, 0xff] + address
    }
}

/// Which addresses a session may connect to: those of the public internet, and networks that are named.
///
/// It looks at the address of every socket that is about to be opened, so no name can resolve to one address when it is
/// checked and to another when it is used.
public struct AddressGuard: Sendable, Equatable {
    public var allowed: [IPNetwork]

    public init(allowed: [IPNetwork] = []) { self.allowed = allowed }

    /// Special addresses of IPv4 (RFC 6890): this machine, private, shared, link-local, documentation, multicast, reserved.
    private static let special = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    ].compactMap { IPNetwork($0) }
    private static let mapped = IPNetwork("::ffff:0:0/96")
    /// NAT64 (RFC 6052): the IPv4 address is in the last four bytes.
    private static let translated = IPNetwork("64:ff9b::/96")
    private static let global = IPNetwork("2000::/3")
    /// Parts of `2000::/3` that are special, or lead to an IPv4 address (6to4, Teredo).
    private static let specialGlobal = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"].compactMap {
        IPNetwork($0)
    }

    /// - Parameter address: 16 bytes; an IPv4 address stands behind `::ffff:`.
    func admits(_ address: [UInt8]) -> Bool {
        if self.allowed.contains(where: { $0.contains(address) }) { return true }
        if Self.mapped?.contains(address) == true { return !Self.special.contains { $0.contains(address) } }
        if Self.translated?.contains(address) == true { return self.admits(IPNetwork.mapped(address[12...])) }
        return Self.global?.contains(address) == true && !Self.specialGlobal.contains { $0.contains(address) }
    }

    /// The same for an address as the system has it; false for anything but IPv4 and IPv6.
    func admits(_ address: UnsafePointer<sockaddr>, length: Int) -> Bool {
        let raw = UnsafeRawBufferPointer(start: address, count: length)
        switch Int32(address.pointee.sa_family) {
        case AF_INET where length >= MemoryLayout<sockaddr_in>.size:
            return self.admits(IPNetwork.mapped(raw[4..<8]))
        case AF_INET6 where length >= MemoryLayout<sockaddr_in6>.size:
            return self.admits(Array(raw[8..<24]))
        default: return false
        }
    }
}
