internal import Glibc

/// Writes the head of a response as RFC 9112 wants it.
enum ResponseEncoder {
    /// The status line and headers, with the empty line that ends them.
    /// - Parameter keepsAlive: another request may follow on this connection.
    static func head(_ response: HTTPResponse, keepsAlive: Bool, date: String) -> [UInt8] {
        var head = "HTTP/1.1 \(response.status) \(self.reason(response.status))\r\n"
        for (name, value) in response.headers where self.isSafe(name, value) { head += "\(name): \(value)\r\n" }
        if self.hasBody(response) { head += "content-length: \(response.body.count)\r\n" }
        head += "date: \(date)\r\nconnection: \(keepsAlive ? "keep-alive" : "close")\r\n\r\n"
        return Array(head.utf8)
    }

    /// False for the statuses that never carry one.
    static func hasBody(_ response: HTTPResponse) -> Bool {
        response.status >= 200 && response.status != 204 && response.status != 304
    }

    /// An error of the server's own, in the shape that PostgREST clients read.
    static func failure(_ status: Int, _ message: String) -> HTTPResponse {
        .json(status, #"{"code":"HTTP\#(status)","message":"\#(message)","details":null,"hint":null}"#)
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
    static func date(_ seconds: time_t) -> String {
        var seconds = seconds
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) "
            + "\(parts.tm_year + 1900) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }

    private static func isSafe(_ name: String, _ value: String) -> Bool {
        let lower = name.lowercased()
        guard !name.isEmpty, lower != "content-length", lower != "connection", lower != "transfer-encoding",
            lower != "date"
        else { return false }
        return name.utf8.allSatisfy(HTTPToken.isTokenByte)
            && value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 9 }
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 402: "Payment Required"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Content"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: "Status"
        }
    }
}
