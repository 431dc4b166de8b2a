extension RawJSON {
    /// Checks that `bytes` are one JSON object and picks members out of it, in a single pass.
    ///
    /// The answer holds one entry per key, in the order of `keys`, nil where the object has no such member. Other
    /// members are checked for their form and skipped, so a hostile object costs no memory. `duplicateKeys` concerns the
    /// picked names only.
    public static func pick(
        _ keys: Keys, from bytes: [UInt8], maxDepth: Int = 64, duplicateKeys: DuplicateKeys = .refuse
    ) throws(JSONError) -> [RawJSON?] {
        let span = bytes.span
        try JSONScanner.checkUTF8(span)
        var index = 0
        JSONScanner.skipSpace(span, &index)
        let found = try Self.members(keys, span, &index, maxDepth: maxDepth, duplicateKeys)
        try JSONScanner.expectEnd(span, &index)
        return found.map { $0.map { RawJSON(storage: bytes, range: $0) } }
    }

    /// Picks members out of this value; error `notAnObject` if it is something else.
    public func pick(_ keys: Keys, duplicateKeys: DuplicateKeys = .refuse) throws(JSONError) -> [RawJSON?] {
        var index = self.range.lowerBound
        let found = try Self.members(keys, self.storage.span, &index, maxDepth: .max, duplicateKeys)
        return found.map { $0.map { RawJSON(storage: self.storage, range: $0) } }
    }

    /// One member of an object (of a name written twice, the last); nil for other values.
    public subscript(_ key: String) -> RawJSON? {
        guard self.kind == .object else { return nil }
        return (try? self.pick(Keys([key]), duplicateKeys: .keepLast))?[0]
    }

    /// The first elements of an array, at most `limit`; nil for other values.
    public func elements(limit: Int) -> [RawJSON]? {
        guard self.kind == .array else { return nil }
        let ranges = try? Self.elements(self.storage.span, self.range.lowerBound, limit: limit, maxDepth: .max).ranges
        return ranges?.map { RawJSON(storage: self.storage, range: $0) }
    }

    /// Scans an object at `index` up to and including its closing brace.
    static func members(
        _ keys: Keys, _ bytes: Span<UInt8>, _ index: inout Int, maxDepth: Int, _ duplicateKeys: DuplicateKeys
    ) throws(JSONError) -> [Range<Int>?] {
        guard try JSONScanner.byte(bytes, index) == UInt8(ascii: "{") else { throw JSONError(.notAnObject, at: index) }
        guard maxDepth > 0 else { throw JSONError(.tooDeep, at: index) }
        var found = [Range<Int>?](repeating: nil, count: keys.names.count)
        guard try JSONScanner.enter(bytes, &index, closing: UInt8(ascii: "}")) else { return found }
        repeat {
            let keyStart = index
            let escaped = try JSONScanner.skipString(bytes, &index)
            let key = keyStart..<index
            try JSONScanner.skipColon(bytes, &index)
            let start = index
            try JSONScanner.skipValue(bytes, &index, maxDepth: maxDepth - 1)
            for place in keys.names.indices
            where (escaped || key.count == keys.names[place].count + 2)
                && JSONText.literal(bytes, key, spells: keys.names[place])
            {
                if found[place] != nil, duplicateKeys == .refuse { throw JSONError(.duplicateKey, at: keyStart) }
                found[place] = start..<index
                break
            }
        } while try JSONScanner.another(bytes, &index, closing: UInt8(ascii: "}"))
        return found
    }

    /// Scans a whole array at `start`; answers where its first `limit` elements and its end are.
    static func elements(
        _ bytes: Span<UInt8>, _ start: Int, limit: Int, maxDepth: Int
    ) throws(JSONError) -> (ranges: [Range<Int>], end: Int) {
        var index = start
        guard try JSONScanner.byte(bytes, index) == UInt8(ascii: "[") else { throw JSONError(.notAnArray, at: index) }
        guard maxDepth > 0 else { throw JSONError(.tooDeep, at: index) }
        var ranges: [Range<Int>] = []
        guard try JSONScanner.enter(bytes, &index, closing: UInt8(ascii: "]")) else { return (ranges, index) }
        ranges.reserveCapacity(min(limit, 8))
        repeat {
            let start = index
            try JSONScanner.skipValue(bytes, &index, maxDepth: maxDepth - 1)
            if ranges.count < limit { ranges.append(start..<index) }
        } while try JSONScanner.another(bytes, &index, closing: UInt8(ascii: "]"))
        return (ranges, index)
    }
}
