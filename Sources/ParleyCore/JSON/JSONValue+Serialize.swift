extension JSONValue {
    /// Compact JSON text, always valid.
    public func serialized() -> [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.bytes
    }
}

extension JSONObject {
    /// Compact JSON text, always valid.
    public func serialized() -> [UInt8] {
        var writer = JSONWriter()
        writer.object(self)
        return writer.bytes
    }
}

extension JSONWriter {
    /// Appends a whole value. Recurses as deep as the value is nested.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null: self.null()
        case .bool(let bool): self.bool(bool)
        case .number(let number): self.raw(number.text)
        case .string(let string): self.string(string)
        case .object(let object): self.object(object)
        case .array(let elements):
            self.byte(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { self.byte(UInt8(ascii: ",")) }
                self.value(element)
            }
            self.byte(UInt8(ascii: "]"))
        }
    }

    /// Appends a whole object.
    public mutating func object(_ object: JSONObject) {
        self.byte(UInt8(ascii: "{"))
        for (index, member) in object.members.enumerated() {
            if index > 0 { self.byte(UInt8(ascii: ",")) }
            self.string(member.key)
            self.byte(UInt8(ascii: ":"))
            self.value(member.value)
        }
        self.byte(UInt8(ascii: "}"))
    }
}
