/// Where a JSON Web Key Set comes from.
enum KeySetSource: Sendable, Equatable {
    case file(String)
    case url(String)

    /// Nil unless `text` is a path, an https URL, or an http URL of this machine: keys fetched in the clear could be
    /// replaced on the way.
    init?(_ text: String) {
        if text.hasPrefix("https://"), text.utf8.count > 8 {
            self = .url(text)
        } else if text.hasPrefix("http://") {
            let host = text.dropFirst(7).prefix { !"/?#".contains($0) }
            // The whole of it, but for a port: "localhost:1@elsewhere" and "[::1].elsewhere" name other machines.
            guard
                let name = ["localhost", "127.0.0.1", "[::1]"].first(where: { host.hasPrefix($0) }),
                case let rest = host.dropFirst(name.count),
                rest.isEmpty || rest.first == ":" && rest.dropFirst().allSatisfy({ $0.isASCII && $0.isNumber })
            else { return nil }
            self = .url(text)
        } else if !text.isEmpty, !text.contains("://") {
            self = .file(text)
        } else {
            return nil
        }
    }
}
