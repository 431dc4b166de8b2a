/// A response. The server adds `content-length`, `date` and `connection`, and leaves the body out for HEAD.
public struct HTTPResponse: Sendable {
    public var status: Int
    /// Written as they are; a header with a line break or control character in it is left out.
    public var headers: [(String, String)]
    public var body: [UInt8]

    public init(status: Int, headers: [(String, String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A JSON body that is already encoded.
    public static func json(_ status: Int, _ body: String) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: [("content-type", "application/json; charset=utf-8")], body: Array(body.utf8))
    }
}
