/// Which Web Push endpoints are sent to. An endpoint is what some browser claims to have, so it may name any machine.
public struct PushEndpoints: Sendable, Equatable {
    /// The services of the browsers there are.
    public static let known = [
        "fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com",
    ]

    /// Hosts: `name`, `*.name` for all below it, `*` for any; with `:port` if that is not 443.
    let hosts: [String]

    public init(hosts: [String] = Self.known) { self.hosts = hosts.map { $0.lowercased() } }

    /// The origin of an endpoint, as in `https://push.example`; nil unless it is an https URL of an allowed host,
    /// without a user.
    public func origin(of endpoint: String) -> String? {
        let scheme = "https://"
        guard endpoint.utf8.count <= 2048, endpoint.lowercased().hasPrefix(scheme),
            endpoint.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") })
        else { return nil }
        let authority = endpoint.dropFirst(scheme.count).prefix { !"/?#".contains($0) }.lowercased()
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, !host.isEmpty, parts.count <= 2,
            host.utf8.allSatisfy({ byte in
                byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            })
        else { return nil }
        guard let port = parts.count == 2 ? UInt16(parts[1]) : 443 else { return nil }
        let name = port == 443 ? String(host) : "\(host):\(port)"
        return self.hosts.contains { Self.matches(name, $0) } ? scheme + name : nil
    }

    private static func matches(_ name: String, _ pattern: String) -> Bool {
        if pattern == "*" { return !name.contains(":") }
        return pattern.hasPrefix("*.") ? name.hasSuffix(pattern.dropFirst()) : name == pattern
    }
}
