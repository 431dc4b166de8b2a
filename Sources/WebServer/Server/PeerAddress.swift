internal import Glibc

/// Where a connection comes from.
struct PeerAddress {
    /// The numeric address, without its port.
    let text: String
    /// What limits count as one address: an IPv4 address however it is written, and the /64 of an IPv6 address, which is
    /// what one subscriber is given.
    let group: String

    init(_ address: inout sockaddr_storage, _ length: socklen_t) {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getnameinfo($0, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            }
        }
        let numeric =
            result == 0 ? String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
        self.text = numeric
        guard numeric.utf8.contains(UInt8(ascii: ":")) else {
            self.group = numeric
            return
        }
        // The address stands at the same place in every sockaddr_in6: after family, port and flow.
        self.group = withUnsafeBytes(of: &address) { Self.group(Array($0[8..<24])) }
    }

    /// The group of an IPv6 address of 16 bytes.
    static func group(_ bytes: [UInt8]) -> String {
        if bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 0xff, bytes[11] == 0xff {
            return bytes[12...].map { String($0) }.joined(separator: ".")
        }
        return bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":") + "/64"
    }
}
