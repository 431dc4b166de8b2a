extension RawJSON {
    /// The members of the one object that `bytes` are, read in a single pass.
    ///
    /// - Parameters:
    ///   - bytes: the text.
    ///   - maxDepth: of nested containers, the object itself included.
    ///   - most: members beyond it are not read; `tooMany` is then true.
    /// - Throws: also for a name given twice, since Postgres and the caller could disagree on which one counts.
    static func members(
        _ bytes: [UInt8], maxDepth: Int, most: Int
    ) throws(JSONError) -> (members: [String: RawJSON], tooMany: Bool) {
        let span = bytes.span
        try JSONScanner.checkUTF8(span)
        var index = 0
        JSONScanner.skipSpace(span, &index)
        guard try JSONScanner.byte(span, index) == UInt8(ascii: "{") else { throw JSONError(.notAnObject, at: index) }
        var members: [String: RawJSON] = [:]
        if try JSONScanner.enter(span, &index, closing: UInt8(ascii: "}")) {
            repeat {
                let keyStart = index
                _ = try JSONScanner.skipString(span, &index)
                let name = JSONText.string(bytes, keyStart..<index)
                guard members[name] == nil else { throw JSONError(.duplicateKey, at: keyStart) }
                guard members.count < most else { return (members, true) }
                try JSONScanner.skipColon(span, &index)
                let start = index
                try JSONScanner.skipValue(span, &index, maxDepth: maxDepth - 1)
                members[name] = RawJSON(storage: bytes, range: start..<index)
            } while try JSONScanner.another(span, &index, closing: UInt8(ascii: "}"))
        }
        try JSONScanner.expectEnd(span, &index)
        return (members, false)
    }
}
