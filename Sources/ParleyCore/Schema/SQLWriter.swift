/// Collects one SQL statement and its parameters.
///
/// Identifiers are quoted and come from the schema cache; what a client wrote goes into parameters only, the one
/// exception being the aliases of `select`, which are quoted.
struct SQLWriter {
    private(set) var parameters: [String?] = []

    /// The placeholder of a new parameter, cast to `type`.
    mutating func parameter(_ value: String?, as type: String) -> String {
        self.parameters.append(value)
        return "$\(self.parameters.count)::\(type)"
    }

    /// The parameter of a placeholder that is written already.
    mutating func append(_ value: String?) { self.parameters.append(value) }

    static func identifier(_ name: String) -> String {
        // of ours none has a quote, and a send writes several
        guard name.utf8.contains(UInt8(ascii: "\"")) else { return "\"" + name + "\"" }
        var quoted = "\""
        for character in name.unicodeScalars {
            if character == "\"" { quoted += "\"" }
            quoted.unicodeScalars.append(character)
        }
        return quoted + "\""
    }

    /// An array in Postgres' text form, every element quoted.
    static func array(_ elements: [String]) -> String {
        var text = "{"
        for (index, element) in elements.enumerated() {
            text += index == 0 ? "\"" : ",\""
            for character in element.unicodeScalars {
                if character == "\"" || character == "\\" { text += "\\" }
                text.unicodeScalars.append(character)
            }
            text += "\""
        }
        return text + "}"
    }
}
