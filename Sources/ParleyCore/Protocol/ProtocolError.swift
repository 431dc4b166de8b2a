/// Why a frame from a client cannot be read. The frame is dropped and the connection stays, as stock servers do.
public struct ProtocolError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of fault. More may be added; switch with a default.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) { self.description = description }

        /// The text is not JSON, or not the object or array that the version asks for.
        public static let notJSON = Code("malformed JSON")
        /// `topic`, `event`, `payload` or `ref` is missing, or the array has fewer than five elements.
        public static let missingMember = Code("missing member")
        /// Topic or event is not a string, or a ref is neither string nor null.
        public static let wrongType = Code("wrong type")
        /// A ref longer than ``RealtimeCodec/maxRefBytes``.
        public static let refTooLong = Code("ref too long")
        /// A binary frame whose lengths add up to more than the frame.
        public static let truncated = Code("truncated binary frame")
        /// A binary frame of a kind, or with an encoding, that clients do not send.
        public static let unknownKind = Code("unknown binary kind")
        /// A name in a binary frame is not UTF-8.
        public static let invalidUTF8 = Code("invalid UTF-8")
        /// Binary frames exist in version 2.0.0 only.
        public static let binaryNotAllowed = Code("binary frame in version 1.0.0")
    }

    public var code: Code
    /// The JSON fault behind `notJSON`.
    public var json: JSONError?

    public init(_ code: Code, json: JSONError? = nil) {
        self.code = code
        self.json = json
    }

    public var description: String { self.json.map { "\(self.code): \($0)" } ?? "\(self.code)" }
}
