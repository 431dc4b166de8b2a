internal import ParleyCore
internal import WebServer

/// An error answer over HTTP.
struct HTTPRefusal: Error {
    var status: Int
    /// One JSON object.
    var json: [UInt8]

    init(status: Int, json: String) {
        self.status = status
        self.json = [UInt8](json.utf8)
    }

    /// `{"<name>": "<text>"}`; clients read `error` first, then `message`.
    init(_ status: Int, _ name: String, _ text: String) {
        self.status = status
        let object: JSONObject = [name: .string(text)]
        self.json = object.serialized()
    }

    static let unauthorized = HTTPRefusal(401, "message", "Unauthorized")
    static let forbidden = HTTPRefusal(403, "message", "Unauthorized")

    var response: HTTPResponse {
        HTTPResponse(
            status: self.status,
            headers: [("Content-Type", "application/json; charset=utf-8")] + CrossOrigin.headers, body: self.json)
    }
}
