/// One HTTP header: a name and its value.
public struct HeaderField: Sendable, Equatable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A request the gateway refuses, in the words and numbers of PostgREST (its "Errors" reference), so that clients
/// written for PostgREST understand it.
public struct GatewayError: Error, Sendable, Equatable {
    /// A five-character SQLSTATE, or `PGRST` and three digits for what the gateway itself refuses.
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

    /// The whole answer: status, JSON body and the headers PostgREST adds to an error.
    public var response: GatewayResponse {
        GatewayResponse(
            status: self.status,
            headers: [
                HeaderField("Content-Type", "application/json; charset=utf-8"),
                HeaderField("Proxy-Status", "PostgREST; error=\(self.code.rawValue)"),
            ] + self.headers,
            body: self.body)
    }
}

/// An answer to be sent; the server adds the length.
public struct GatewayResponse: Sendable, Equatable {
    public var status: Int
    public var headers: [HeaderField]
    public var body: [UInt8]

    public init(status: Int, headers: [HeaderField], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
