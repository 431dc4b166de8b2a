extension RawJSON {
    /// The names of an object's members, all of them checked for their form and none kept.
    ///
    /// - Parameters:
    ///   - bytes: the text.
    ///   - maxDepth: of nested containers, the object itself included.
    ///   - most: members beyond it are not read; `tooMany` is then true.
    /// - Throws: also for a name given twice, since Postgres and the caller could disagree on which one counts.
    static func names(
        _ bytes: [UInt8], maxDepth: Int, most: Int
    ) throws(JSONError) -> (names: Set<String>, tooMany: Bool) {
        let span = bytes.span
        try JSONScanner.checkUTF8(span)
        var index = 0
        JSONScanner.skipSpace(span, &index)
        guard try JSONScanner.byte(span, index) == UInt8(ascii: "{") else { throw JSONError(.notAnObject, at: index) }
        var names: Set<String> = []
        if try JSONScanner.enter(span, &index, closing: UInt8(ascii: "}")) {
            repeat {
                let start = index
                _ = try JSONScanner.skipString(span, &index)
                guard names.insert(JSONText.string(bytes, start..<index)).inserted else {
                    throw JSONError(.duplicateKey, at: start)
                }
                guard names.count <= most else { return (names, true) }
                try JSONScanner.skipColon(span, &index)
                try JSONScanner.skipValue(span, &index, maxDepth: maxDepth - 1)
            } while try JSONScanner.another(span, &index, closing: UInt8(ascii: "}"))
        }
        try JSONScanner.expectEnd(span, &index)
        return (names, false)
    }
}
