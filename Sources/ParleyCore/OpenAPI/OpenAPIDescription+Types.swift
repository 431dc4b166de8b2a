extension OpenAPIDescription {
    /// The object with these columns.
    static func row(_ columns: [APIColumn]) -> JSONObject {
        var properties = JSONObject()
        for column in columns {
            var property = self.schema(column.type)
            if let comment = column.comment { property["description"] = .string(comment) }
            properties[column.name] = .object(property)
        }
        return ["type": "object", "properties": .object(properties)]
    }

    /// A type of Postgres: its name is the format, as PostgREST has it. JSON may be of any type, and has none.
    static func schema(_ type: String) -> JSONObject {
        var schema: JSONObject = ["format": .string(type)]
        guard let name = self.type(type) else { return schema }
        schema["type"] = .string(name)
        if type.hasSuffix("[]") { schema["items"] = .object(self.schema(String(type.dropLast(2)))) }
        return schema
    }

    /// In a query an array is a text as Postgres writes it, and so is JSON.
    static func queryType(_ type: String) -> String {
        let name = self.type(type) ?? "string"
        return name == "array" ? "string" : name
    }

    private static func type(_ type: String) -> String? {
        switch type {
        case "boolean": "boolean"
        case "smallint", "integer", "bigint": "integer"
        case "numeric", "real", "double precision": "number"
        case "json", "jsonb": nil
        default: type.hasSuffix("[]") ? "array" : "string"
        }
    }

    /// The value of a default that is a plain literal, as `50` or `'text'::text`; nil for null and for expressions.
    static func value(_ expression: String, type: String) -> JSONValue? {
        guard let text = self.literal(expression) else { return nil }
        let name = self.type(type)
        switch name {
        case "string": return .string(text)
        case "array": return text == "{}" ? .array([]) : nil
        default:
            guard let value = try? JSONValue.parse(Array(text.utf8)) else { return nil }
            let isRight =
                switch name {
                case "boolean": value.bool != nil
                case "integer": value.int64 != nil
                case "number": value.number != nil
                default: true
                }
            return isRight ? value : nil
        }
    }

    /// The text of a literal: quoted, and then perhaps cast, or bare.
    private static func literal(_ expression: String) -> String? {
        guard expression.first == "'" else {
            let bare = expression.split(separator: "::", maxSplits: 1).first.map(String.init) ?? ""
            let isWord = bare.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2e }
            return isWord && !bare.hasPrefix("null") ? bare : nil
        }
        var text = ""
        var rest = expression.dropFirst()
        while let character = rest.popFirst() {
            guard character == "'" else {
                text.append(character)
                continue
            }
            guard rest.first == "'" else { return rest.isEmpty || self.isCast(rest) ? text : nil }
            text.append(rest.removeFirst())
        }
        return nil
    }

    /// Whether what follows a literal is the name of its type and nothing else.
    private static func isCast(_ text: Substring) -> Bool {
        text.hasPrefix("::") && text.dropFirst(2).allSatisfy { $0.isLetter || $0.isNumber || " _.[]\"".contains($0) }
    }
}
