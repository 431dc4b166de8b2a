internal import ParleyCore
internal import WebServer

/// An error answer of the broadcast API, with the members that clients of PostgREST read.
struct HTTPRefusal: Error {
    var error: APIError
    /// What is wrong with each message of a batch, as upstream tells it: a JSON value beside the others.
    var errors: String?

    init(_ error: APIError, errors: String? = nil) {
        self.error = error
        self.errors = errors
    }

    init(_ status: Int, _ message: String, details: String? = nil, errors: String? = nil) {
        var error = APIError(status: status, code: .init("PT\(status)"), message: message, details: details)
        if status == 429 { error.headers.append(HeaderField("Retry-After", "1")) }
        self.init(error, errors: errors)
    }

    init(_ refusal: BroadcastRefusal) {
        let status = refusal == .tooManyBytes ? 429 : 422
        self.init(APIError(status: status, code: .init(refusal.code), message: refusal.reason))
    }

    static let unauthorized = HTTPRefusal(401, "Unauthorized")
    static let forbidden = HTTPRefusal(403, "Unauthorized")

    var response: HTTPResponse {
        var body = self.error.body
        if let errors = self.errors { body = body.dropLast() + [UInt8](",\"errors\":\(errors)}".utf8) }
        return HTTPResponse(
            status: self.error.status,
            headers: [("Content-Type", "application/json; charset=utf-8")]
                + self.error.headers.map { ($0.name, $0.value) } + CrossOrigin.headers,
            body: body)
    }
}
