/// The named arguments of a command: one JSON object, read once.
public struct CommandArguments: Sendable, Equatable {
    /// Deepest nesting. Postgres' own parser recurses; messages need a handful of levels.
    static let maxDepth = 64
    /// Postgres' own limit for the arguments of a function.
    static let maxCount = 100

    /// The text of the object, as Postgres gets it.
    public private(set) var json: [UInt8]
    private(set) var members: [String: RawJSON]

    /// Reads an object as a client wrote it.
    public init(json: [UInt8]) throws(APIError) {
        let tooMany: Bool
        do {
            (self.members, tooMany) = try RawJSON.members(json, maxDepth: Self.maxDepth, most: Self.maxCount)
        } catch {
            throw .body(details: "\(error)")
        }
        guard !RawJSON.holdsZero(json) else { throw .zeroEscape }
        guard !tooMany else { throw .body("A call takes at most \(Self.maxCount) arguments") }
        self.json = json
    }

    /// Writes an object of single values, in the order of their names.
    init(_ members: [String: RawJSON]) throws(APIError) {
        var writer = JSONWriter(capacity: members.reduce(2) { $0 + $1.key.utf8.count + $1.value.count + 4 })
        var separator = UInt8(ascii: "{")
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            guard !value.holdsZero else { throw .zeroEscape }
            writer.byte(separator)
            writer.string(name)
            writer.byte(UInt8(ascii: ":"))
            writer.raw(value.bytes)
            separator = UInt8(ascii: ",")
        }
        if members.isEmpty { writer.byte(separator) }
        writer.byte(UInt8(ascii: "}"))
        self.members = members
        self.json = writer.bytes
    }

    public var names: Set<String> { Set(self.members.keys) }

    subscript(_ name: String) -> RawJSON? { self.members[name] }

    /// The same and one more argument, which must be new. - Parameter text: a string that needs no escapes.
    func adding(_ name: String, _ text: String) -> CommandArguments {
        var copy = self
        let value = RawJSON(plain: text)
        copy.members[name] = value
        let start = [UInt8]("{\"\(name)\":".utf8) + value.bytes
        let inside = self.json.drop { $0 != UInt8(ascii: "{") }.dropFirst()
        copy.json = start + (self.members.isEmpty ? [] : [UInt8(ascii: ",")]) + inside
        return copy
    }

    public static func == (left: CommandArguments, right: CommandArguments) -> Bool { left.json == right.json }
}
