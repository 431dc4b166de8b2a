/// Takes comments out of style sheets, and the space in front of lines, so that they need not be sent.
enum StyleText {
    static func withoutComments(_ text: String) -> String {
        var kept = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "/*") {
            kept += rest[..<start.lowerBound]
            let end = rest[start.upperBound...].firstRange(of: "*/")
            rest = rest[(end?.upperBound ?? rest.endIndex)...]
        }
        let lines = (kept + rest).split(whereSeparator: \.isNewline)
        return lines.map { $0.drop { $0 == " " } }.filter { !$0.isEmpty }.joined(separator: "\n") + "\n"
    }
}
