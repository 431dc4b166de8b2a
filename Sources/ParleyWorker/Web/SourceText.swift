/// Takes whole lines of comment out of JavaScript and style sheets, so that they need not be sent.
///
/// It reads lines and not the language, so it knows only comments that have lines of their own, and leaves the rest. Inside
/// a template literal nothing is a comment: there each line stays.
enum SourceText {
    static func withoutComments(_ text: String) -> String {
        var kept: [Substring] = []
        var isComment = false
        var isTemplate = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let content = line.drop { $0 == " " || $0 == "\t" }
            if isComment {
                if let end = content.firstRange(of: "*/") {
                    isComment = false
                    // What follows a comment on its last line is code.
                    if !content[end.upperBound...].allSatisfy(\.isWhitespace) {
                        kept.append(content[end.upperBound...])
                    }
                }
                continue
            }
            if !isTemplate {
                if content.isEmpty || content.hasPrefix("//") { continue }
                if content.hasPrefix("/*") {
                    guard let end = content.dropFirst(2).firstRange(of: "*/") else {
                        isComment = true
                        continue
                    }
                    if content[end.upperBound...].allSatisfy(\.isWhitespace) { continue }
                }
            }
            kept.append(line)
            if self.backticks(line) % 2 == 1 { isTemplate.toggle() }
        }
        return kept.map { $0 + "\n" }.joined()
    }

    /// Those without a backslash before them.
    private static func backticks(_ line: Substring) -> Int {
        var count = 0
        var isEscaped = false
        for byte in line.utf8 {
            if byte == UInt8(ascii: "`"), !isEscaped { count += 1 }
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
        }
        return count
    }
}
