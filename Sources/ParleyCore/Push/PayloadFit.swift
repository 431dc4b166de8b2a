/// Keeps payloads within the limit of a provider: by cutting text, never by failing.
enum PayloadFit {
    /// The payload of `content`, with as much of its text as `limit` bytes allow: the body is cut first, then the title,
    /// then the arguments go, and at last ids alone are left.
    ///
    /// - Returns: nil if not even those fit.
    static func bytes(_ content: PushContent, limit: Int, build: (PushContent) -> [UInt8]) -> [UInt8]? {
        let whole = build(content)
        if whole.count <= limit { return whole }
        for path in [\PushContent.body, \.title, \.sender] {
            guard let text = content[keyPath: path] else { continue }
            if let cut = Self.cut(text, path, of: content, limit: limit, build: build) { return cut }
        }
        var bare = content
        bare.body = nil
        bare.title = nil
        bare.locArgs = []
        for attempt in [bare, bare.reduced] {
            let bytes = build(attempt)
            if bytes.count <= limit { return bytes }
        }
        return nil
    }

    /// The longest beginning of `text` that fits, with an ellipsis; nil if not one character does.
    private static func cut(
        _ text: String, _ path: WritableKeyPath<PushContent, String?>, of content: PushContent, limit: Int,
        build: (PushContent) -> [UInt8]
    ) -> [UInt8]? {
        // No character is shorter than a byte, so more than these cannot fit.
        let characters = Array(text.prefix(limit))
        var best: [UInt8]?
        var fits = 0
        var tooMany = characters.count + 1
        while tooMany - fits > 1 {
            let middle = (fits + tooMany) / 2
            var shorter = content
            shorter[keyPath: path] = String(characters[..<middle]) + "…"
            let bytes = build(shorter)
            if bytes.count <= limit {
                best = bytes
                fits = middle
            } else {
                tooMany = middle
            }
        }
        return best
    }
}
