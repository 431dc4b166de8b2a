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

extension APIError {
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
