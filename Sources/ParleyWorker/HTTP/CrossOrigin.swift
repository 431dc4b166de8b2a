internal import WebServer

/// Cross-origin resource sharing (Fetch standard, "CORS protocol"): any page may call, because a call carries its token
/// in a header and no cookie counts.
enum CrossOrigin {
    private static let exposed =
        "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, "
        + "Range-Unit, Preference-Applied, Proxy-Status, Retry-After, WWW-Authenticate"

    /// For every answer.
    static let headers: [(String, String)] = [
        ("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", exposed),
    ]

    /// The answer to a browser's question before the actual request; nil when `request` is none.
    static func preflight(_ request: HTTPRequest) -> HTTPResponse? {
        guard request.method == "OPTIONS", request.headers["access-control-request-method"] != nil else { return nil }
        let asked = (request.headers["access-control-request-headers"] ?? "").split(separator: ",")
            .map { String($0.filter { !$0.isWhitespace }) }
            .filter { !$0.isEmpty && $0.utf8.allSatisfy(self.isNameByte) }
        let allowed = ["Authorization", "apikey", "Content-Type", "Accept", "Prefer"] + asked
        return HTTPResponse(
            status: 200,
            headers: [
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Allow-Methods", "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD"),
                ("Access-Control-Allow-Headers", allowed.joined(separator: ", ")),
                ("Access-Control-Max-Age", "86400"),
            ], body: [])
    }

    /// Bytes of the header names in use; the grammar of RFC 9110 section 5.6.2 has a few more.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
