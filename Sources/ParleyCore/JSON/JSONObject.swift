/// A JSON object: members in the order written, no name twice.
public struct JSONObject: Sendable, ExpressibleByDictionaryLiteral {
    public struct Member: Sendable {
        public var key: String
        public var value: JSONValue

        public init(key: String, value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    public private(set) var members: [Member]

    public init() { self.members = [] }

    /// Of a name given twice the last value counts.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.members = []
        for (key, value) in elements { self[key] = value }
    }

    init(distinct members: [Member]) { self.members = members }

    public var isEmpty: Bool { self.members.isEmpty }
    public var count: Int { self.members.count }

    /// The value under `key`. Setting nil removes the member, a new name goes to the end. Linear in the member count.
    public subscript(_ key: String) -> JSONValue? {
        get { self.members.first { $0.key.isSpelled(key) }?.value }
        set {
            let index = self.members.firstIndex { $0.key.isSpelled(key) }
            switch (index, newValue) {
            case (let index?, let value?): self.members[index].value = value
            case (let index?, nil): self.members.remove(at: index)
            case (nil, let value?): self.members.append(Member(key: key, value: value))
            case (nil, nil): break
            }
        }
    }
}

extension JSONObject: Equatable {
    /// Objects are unordered (RFC 8259 section 1): the order of members does not count.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.count == right.count else { return false }
        if zip(left.members, right.members).allSatisfy({ $0.key.isSpelled($1.key) && $0.value == $1.value }) {
            return true
        }
        let other = Dictionary(right.members.map { (ExactString($0.key), $0.value) }) { _, last in last }
        return left.members.allSatisfy { other[ExactString($0.key)] == $0.value }
    }
}
