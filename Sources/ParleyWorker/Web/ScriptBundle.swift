/// A module and all that it imports as one module, so that they come with one request and are packed together.
///
/// The declarations of all stand beside each other under their own names. What cannot be joined so is served as it is:
/// names that two modules declare, imports that rename, defaults, and imports from elsewhere.
struct ScriptBundle {
    private let files: [String: String]
    private var text: [ScriptText.Token] = []
    private var declared: Set<String> = []
    private var seen: Set<String> = []
    private var exported: [String] = []

    /// - Returns: the joined module; nil if these modules cannot be joined.
    static func join(_ entry: String, of files: [String: String]) -> String? {
        var bundle = Self(files: files)
        guard bundle.add(entry, isEntry: true) else { return nil }
        return ScriptText.write(bundle.text) + "export{\(bundle.exported.joined(separator: ","))};\n"
    }

    private init(files: [String: String]) { self.files = files }

    /// A module, after those that it imports.
    private mutating func add(_ path: String, isEntry: Bool = false) -> Bool {
        guard self.seen.insert(path).inserted else { return true }
        guard let text = self.files[path] else { return false }
        let tokens = ScriptText.shortened(ScriptText(text).tokens)
        let folder = path.split(separator: "/").dropLast().joined(separator: "/")
        var own: [ScriptText.Token] = []
        var depth = 0
        var at = 0
        while at < tokens.count {
            let word = tokens[at].text
            let next = at + 1 < tokens.count ? tokens[at + 1].text : ""
            if depth == 0, word == "import", next != "(", next != "." {
                guard let end = tokens[at...].firstIndex(where: { $0.text == ";" }) else { return false }
                let name = tokens[end - 1].text
                guard next == "{", name.hasPrefix("\"./"), !tokens[at..<end].contains(where: { $0.text == "as" }),
                    self.add(folder + name.dropFirst(2).dropLast())
                else { return false }
                at = end + 1
                continue
            }
            if depth == 0, word == "export" {
                if next == "{" {
                    guard let end = tokens[at...].firstIndex(where: { $0.text == "}" }), end + 1 < tokens.count,
                        tokens[end + 1].text == ";"
                    else { return false }
                    if isEntry { self.exported += tokens[(at + 2)..<end].filter { $0.kind == .word }.map(\.text) }
                    at = end + 2
                    continue
                }
                guard let name = Self.declaration(tokens[(at + 1)...]) else { return false }
                if isEntry { self.exported.append(name) }
                at += 1
                continue
            }
            if depth == 0, own.last?.text != "async", let name = Self.declaration(tokens[at...]) {
                guard self.declared.insert(name).inserted else { return false }
            }
            let token = tokens[at]
            let (first, last) = (token.bytes.first, token.bytes.last)
            // A text that begins or ends with a brace is a part of a template.
            if first == UInt8(ascii: "}") || word == ")" || word == "]" { depth -= 1 }
            if last == UInt8(ascii: "{") || word == "(" || word == "[" { depth += 1 }
            own.append(token)
            at += 1
        }
        if let first = own.indices.first { own[first].space = UInt8(ascii: "\n") }
        self.text += own
        return true
    }

    /// The name that `class X`, `function X`, `async function X`, `function* X`, `const X` or `let X` declares.
    private static func declaration(_ tokens: ArraySlice<ScriptText.Token>) -> String? {
        let words = tokens.prefix(4).map(\.text)
        guard let first = words.first, ["class", "function", "async", "const", "let"].contains(first) else {
            return nil
        }
        return words.dropFirst().first { $0 != "function" && $0 != "*" }
    }
}
