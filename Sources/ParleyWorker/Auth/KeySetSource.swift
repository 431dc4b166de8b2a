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
            let bare = host.hasPrefix("[") ? host.prefix { $0 != "]" } + "]" : host.prefix { $0 != ":" }
            // "localhost:1@elsewhere" names another machine.
            guard !host.contains("@"), ["localhost", "127.0.0.1", "[::1]"].contains(bare) else { return nil }
            self = .url(text)
        } else if !text.isEmpty, !text.contains("://") {
            self = .file(text)
        } else {
            return nil
        }
    }
}
