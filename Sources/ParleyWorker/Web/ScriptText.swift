/// Takes comments and needless space out of JavaScript and shortens its private names, so that less is sent.
///
/// It reads tokens and no grammar. A line break stays wherever JavaScript might end a statement by it. Private names
/// (`#name`) are a module's own and never made at run time, so they may be any.
struct ScriptText {
    enum Kind { case word, text, sign }
    struct Token {
        var kind: Kind
        var bytes: ArraySlice<UInt8>
        /// What stood in front of it: nothing, a space, or a line break.
        var space: UInt8?
    }

    private(set) var tokens: [Token] = []
    private let source: [UInt8]
    private var at = 0
    /// For each open `{`, whether it is the `${` of a template.
    private var braces: [Bool] = []

    init(_ text: String) {
        self.source = Array(text.utf8)
        while self.at < self.source.count {
            let space = self.skipSpace()
            guard self.at < self.source.count else { break }
            let start = self.at
            let kind = self.take()
            self.tokens.append(Token(kind: kind, bytes: self.source[start..<self.at], space: space))
        }
    }

    // MARK: - Reading

    private func peek(_ ahead: Int = 0) -> UInt8? {
        self.at + ahead < self.source.count ? self.source[self.at + ahead] : nil
    }

    /// Passes over white space and comments.
    private mutating func skipSpace() -> UInt8? {
        var space: UInt8?
        while let byte = self.peek() {
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                space = UInt8(ascii: "\n")
                self.at += 1
            } else if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") {
                space = space ?? UInt8(ascii: " ")
                self.at += 1
            } else if byte == UInt8(ascii: "/"), self.peek(1) == UInt8(ascii: "/") {
                while let next = self.peek(), next != UInt8(ascii: "\n") { self.at += 1 }
            } else if byte == UInt8(ascii: "/"), self.peek(1) == UInt8(ascii: "*") {
                space = space ?? UInt8(ascii: " ")
                self.at += 2
                while let next = self.peek(), !(next == UInt8(ascii: "*") && self.peek(1) == UInt8(ascii: "/")) {
                    if next == UInt8(ascii: "\n") { space = next }
                    self.at += 1
                }
                self.at = min(self.at + 2, self.source.count)
            } else {
                break
            }
        }
        return space
    }

    private mutating func take() -> Kind {
        let byte = self.source[self.at]
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            self.takeQuoted(byte)
            return .text
        case UInt8(ascii: "`"):
            self.takeTemplate()
            return .text
        case UInt8(ascii: "}") where self.braces.popLast() == true:
            self.takeTemplate()
            return .text
        case UInt8(ascii: "/") where self.beginsExpression:
            self.takeRegularExpression()
            return .text
        case let first where Self.isWord(first) || first == UInt8(ascii: "#"):
            self.at += 1
            while let next = self.peek(), Self.isWord(next) { self.at += 1 }
            return .word
        default:
            if byte == UInt8(ascii: "{") { self.braces.append(false) }
            self.at += 1
            return .sign
        }
    }

    static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...:
            true
        default: false
        }
    }

    private mutating func takeQuoted(_ quote: UInt8) {
        self.at += 1
        while let next = self.peek(), next != quote, next != UInt8(ascii: "\n") {
            self.at += next == UInt8(ascii: "\\") ? 2 : 1
        }
        self.at = min(self.at + 1, self.source.count)
    }

    /// From a back quote, or the brace that ends an expression, to the next back quote or the `${` of the next one.
    private mutating func takeTemplate() {
        self.at += 1
        while let next = self.peek() {
            if next == UInt8(ascii: "`") {
                self.at += 1
                return
            }
            if next == UInt8(ascii: "$"), self.peek(1) == UInt8(ascii: "{") {
                self.braces.append(true)
                self.at += 2
                return
            }
            self.at = min(self.at + (next == UInt8(ascii: "\\") ? 2 : 1), self.source.count)
        }
    }

    private mutating func takeRegularExpression() {
        var isClass = false
        self.at += 1
        while let next = self.peek(), next != UInt8(ascii: "\n") {
            if next == UInt8(ascii: "/"), !isClass { break }
            if next == UInt8(ascii: "[") { isClass = true }
            if next == UInt8(ascii: "]") { isClass = false }
            self.at += next == UInt8(ascii: "\\") ? 2 : 1
        }
        self.at = min(self.at + 1, self.source.count)
        while let next = self.peek(), Self.isWord(next) { self.at += 1 }
    }

    /// Whether a slash here begins a regular expression, and is no division.
    private var beginsExpression: Bool {
        guard let last = self.tokens.last, let end = last.bytes.last else { return true }
        switch last.kind {
        case .word: return ["return", "typeof", "case", "of", "in", "void", "await", "else"].contains(last.text)
        case .text: return end == UInt8(ascii: "{")
        case .sign: return end != UInt8(ascii: ")") && end != UInt8(ascii: "]")
        }
    }

    // MARK: - Writing

    static func compact(_ text: String) -> String { Self.write(Self.shortened(Self(text).tokens)) }

    static func write(_ tokens: [Token]) -> String {
        var output: [UInt8] = []
        var last: Token?
        // For each open parenthesis, whether it is the head of a statement.
        var heads: [Bool] = []
        var afterHead = false
        for (index, token) in tokens.enumerated() {
            let sign = token.kind == .sign ? token.bytes.first : nil
            // The last semicolon of a block says nothing, unless it is the statement of a loop.
            let closes = index + 1 < tokens.count && tokens[index + 1].bytes.first == UInt8(ascii: "}")
            if sign == UInt8(ascii: ";"), closes, !afterHead { continue }
            if sign == UInt8(ascii: "(") {
                heads.append(last.map { ["if", "for", "while", "with"].contains($0.text) } ?? false)
            }
            afterHead = sign == UInt8(ascii: ")") && heads.popLast() == true
            if let space = token.space, let last, self.keeps(space, last, token) { output.append(space) }
            output += token.bytes
            last = token
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func keeps(_ space: UInt8, _ last: Token, _ next: Token) -> Bool {
        guard let end = last.bytes.last, let start = next.bytes.first else { return false }
        let (endsWord, beginsWord) = (last.kind == .word, next.kind == .word)
        if endsWord, beginsWord { return true }
        // `a + +b`, and `1 .x`
        if end == start, end == UInt8(ascii: "+") || end == UInt8(ascii: "-") || end == UInt8(ascii: "/") {
            return true
        }
        if endsWord, start == UInt8(ascii: ".") { return true }
        guard space == UInt8(ascii: "\n") else { return false }
        let mayEnd = endsWord || last.kind == .text && end != UInt8(ascii: "{") || ")]}+-".utf8.contains(end)
        let mayBegin = beginsWord || next.kind == .text && start != UInt8(ascii: "}") || "([{+-!~".utf8.contains(start)
        return mayEnd && mayBegin
    }

    /// With other private names: those that are used most get the shortest.
    static func shortened(_ tokens: [Token]) -> [Token] {
        var uses: [String: Int] = [:]
        for token in tokens where token.isPrivateName { uses[token.text, default: 0] += 1 }
        var names: [String: [UInt8]] = [:]
        for (index, name) in uses.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }).enumerated() {
            let letter = UInt8(ascii: "a") + UInt8(index % 26)
            names[name.key] = [UInt8(ascii: "#"), letter] + (index < 26 ? [] : Array(String(index / 26).utf8))
        }
        return tokens.map { token in
            guard token.isPrivateName, let name = names[token.text] else { return token }
            return Token(kind: .word, bytes: name[...], space: token.space)
        }
    }
}

extension ScriptText.Token {
    var text: String { String(decoding: self.bytes, as: UTF8.self) }
    fileprivate var isPrivateName: Bool { self.kind == .word && self.bytes.first == UInt8(ascii: "#") }
}
