extension JSONValue {
    /// The most containers that `parse` will ever nest, whatever the caller allows: it bounds the stack.
    public static let deepest = 256

    /// Parses exactly one JSON value; white space around it is allowed, a byte order mark is not.
    ///
    /// - Parameters:
    ///   - maxDepth: nested containers allowed, at most ``deepest``.
    ///   - duplicateKeys: what to do with an object that names a member twice, at any depth.
    public static func parse(
        _ bytes: [UInt8], maxDepth: Int = 64, duplicateKeys: DuplicateKeys = .refuse
    ) throws(JSONError) -> JSONValue {
        try JSONScanner.checkUTF8(bytes.span)
        let parser = JSONParser(bytes: bytes, duplicateKeys: duplicateKeys)
        return try parser.document(maxDepth: min(maxDepth, Self.deepest))
    }

    /// As ``parse(_:maxDepth:duplicateKeys:)``, for a text.
    public static func parse(
        _ text: String, maxDepth: Int = 64, duplicateKeys: DuplicateKeys = .refuse
    ) throws(JSONError) -> JSONValue {
        try parse(Array(text.utf8), maxDepth: maxDepth, duplicateKeys: duplicateKeys)
    }
}

/// Builds values; recursion is bounded by the depth limit.
private struct JSONParser {
    let bytes: [UInt8]
    let duplicateKeys: DuplicateKeys

    func document(maxDepth: Int) throws(JSONError) -> JSONValue {
        var index = 0
        JSONScanner.skipSpace(self.bytes.span, &index)
        let value = try self.value(&index, depthLeft: maxDepth)
        try JSONScanner.expectEnd(self.bytes.span, &index)
        return value
    }

    private func value(_ index: inout Int, depthLeft: Int) throws(JSONError) -> JSONValue {
        let start = index
        switch try JSONScanner.byte(self.bytes.span, start) {
        case UInt8(ascii: "{"):
            guard depthLeft > 0 else { throw JSONError(.tooDeep, at: start) }
            return .object(try self.object(&index, depthLeft: depthLeft - 1))
        case UInt8(ascii: "["):
            guard depthLeft > 0 else { throw JSONError(.tooDeep, at: start) }
            return .array(try self.array(&index, depthLeft: depthLeft - 1))
        case UInt8(ascii: "\""):
            return .string(try self.string(&index))
        case let first:
            try JSONScanner.skipScalar(self.bytes.span, &index)
            switch first {
            case UInt8(ascii: "t"): return .bool(true)
            case UInt8(ascii: "f"): return .bool(false)
            case UInt8(ascii: "n"): return .null
            default:
                return .number(JSONNumber(scanned: String(decoding: self.bytes[start..<index], as: UTF8.self)))
            }
        }
    }

    private func string(_ index: inout Int) throws(JSONError) -> String {
        let start = index
        _ = try JSONScanner.skipString(self.bytes.span, &index)
        return JSONText.string(self.bytes, start..<index)
    }

    private func array(_ index: inout Int, depthLeft: Int) throws(JSONError) -> [JSONValue] {
        var elements: [JSONValue] = []
        guard try JSONScanner.enter(self.bytes.span, &index, closing: UInt8(ascii: "]")) else { return elements }
        repeat {
            elements.append(try self.value(&index, depthLeft: depthLeft))
        } while try JSONScanner.another(self.bytes.span, &index, closing: UInt8(ascii: "]"))
        return elements
    }

    private func object(_ index: inout Int, depthLeft: Int) throws(JSONError) -> JSONObject {
        var members: [JSONObject.Member] = []
        guard try JSONScanner.enter(self.bytes.span, &index, closing: UInt8(ascii: "}")) else { return JSONObject() }
        var names = KnownNames()
        repeat {
            let start = index
            let key = try self.string(&index)
            try JSONScanner.skipColon(self.bytes.span, &index)
            let known = names.insert(key, into: members)
            if known != nil, self.duplicateKeys == .refuse { throw JSONError(.duplicateKey, at: start) }
            let value = try self.value(&index, depthLeft: depthLeft)
            if let known {
                members[known].value = value
            } else {
                members.append(JSONObject.Member(key: key, value: value))
            }
        } while try JSONScanner.another(self.bytes.span, &index, closing: UInt8(ascii: "}"))
        return JSONObject(distinct: members)
    }
}

/// Finds a name seen before: by looking for small objects, by hash for large ones, so that no object costs n².
private struct KnownNames {
    private var places: [ExactString: Int] = [:]

    /// The place of `key` among `members`, or nil if it is new and will be appended.
    mutating func insert(_ key: String, into members: [JSONObject.Member]) -> Int? {
        if members.count < 12 { return members.firstIndex { $0.key.isSpelled(key) } }
        if self.places.isEmpty {
            for (place, member) in members.enumerated() { self.places[ExactString(member.key)] = place }
        }
        if let place = self.places[ExactString(key)] { return place }
        self.places[ExactString(key)] = members.count
        return nil
    }
}
