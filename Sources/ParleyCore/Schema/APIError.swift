/// A refusal of the API, in the words and numbers of PostgREST (its "Errors" reference), so that clients written for
/// PostgREST understand it. Sockets tell its code, message, details and hint.
public struct APIError: Error, Sendable, Equatable {
    /// A five-character SQLSTATE, or `PGRST` and three digits for what is refused before the database is asked.
    public struct Code: RawRepresentable, Sendable, Hashable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        public init(_ rawValue: String) { self.rawValue = rawValue }
    }

    public var status: Int
    public var code: Code
    public var message: String
    public var details: String?
    public var hint: String?
    /// Headers beyond `Content-Type` and `Proxy-Status`.
    public var headers: [HeaderField]

    public init(
        status: Int, code: Code, message: String, details: String? = nil, hint: String? = nil,
        headers: [HeaderField] = []
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.hint = hint
        self.headers = headers
    }

    /// `{"code","message","details","hint"}`, null where absent.
    public var body: [UInt8] {
        var writer = JSONWriter()
        writer.raw(#"{"code":"#)
        writer.string(self.code.rawValue)
        writer.raw(#","message":"#)
        writer.string(self.message)
        writer.raw(#","details":"#)
        writer.stringOrNull(self.details)
        writer.raw(#","hint":"#)
        writer.stringOrNull(self.hint)
        writer.raw("}")
        return writer.bytes
    }

    /// The `response` of a refusal over a socket: the same members as ``body``, whether the same may succeed later, and
    /// the message once more as the `reason` that stock clients show of any refusal.
    public func response(isRetriable: Bool) -> [UInt8] {
        var writer = JSONWriter()
        writer.raw(#"{"reason":"#)
        writer.string(self.message)
        writer.raw(#","retriable":"#)
        writer.bool(isRetriable)
        writer.byte(UInt8(ascii: ","))
        writer.raw(self.body.dropFirst())
        return writer.bytes
    }
}
