/// Why a text is not acceptable JSON. It says where, never what: content does not belong in logs.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of fault. More may be added; switch with a default.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        public let description: String

        private init(_ description: String) { self.description = description }

        /// The text ended inside a value.
        public static let unexpectedEnd = Code("unexpected end")
        /// A byte that RFC 8259 does not allow at this place.
        public static let unexpectedByte = Code("unexpected byte")
        /// Not UTF-8 (overlong forms, surrogates and values above U+10FFFF included).
        public static let invalidUTF8 = Code("invalid UTF-8")
        /// A backslash followed by something that is no escape.
        public static let invalidEscape = Code("invalid escape")
        /// `\uD800`...`\uDFFF` without its other half: it has no UTF-8 form.
        public static let loneSurrogate = Code("lone surrogate")
        /// A raw control character inside a string.
        public static let controlCharacter = Code("control character in string")
        /// A leading zero, a bare minus, a fraction or exponent without digits.
        public static let invalidNumber = Code("invalid number")
        /// More digits, or a larger exponent, than ``JSONScanner`` lets through: written out, it would fill memory.
        public static let numberTooLarge = Code("number with too many digits or too large an exponent")
        /// More values within one than ``JSONScanner`` lets through.
        public static let tooManyValues = Code("too many values")
        /// More nested arrays and objects than the caller allowed.
        public static let tooDeep = Code("nested too deep")
        /// The same member name twice, where the caller refused that.
        public static let duplicateKey = Code("duplicate key")
        /// More after the end of the value.
        public static let trailingBytes = Code("trailing bytes")
        /// Well-formed, but an object was required.
        public static let notAnObject = Code("not an object")
        /// Well-formed, but an array was required.
        public static let notAnArray = Code("not an array")
    }

    public var code: Code
    /// Byte offset of the fault.
    public var offset: Int

    public init(_ code: Code, at offset: Int) {
        self.code = code
        self.offset = offset
    }

    public var description: String { "\(self.code) at byte \(self.offset)" }
}

/// What to do with an object that names a member twice.
public enum DuplicateKeys: Sendable {
    /// Two readers could disagree on which one counts, so refuse the text.
    case refuse
    /// As JavaScript, Python and Postgres' jsonb do.
    case keepLast
}
