/// A request that the server refuses by itself: the status to answer, and one sentence for the client.
struct HTTPFailure: Error, Equatable {
    var status: Int
    var message: String
    /// Seconds after which the client may try again.
    var retryAfter: Int?

    init(_ status: Int, _ message: String, retryAfter: Int? = nil) {
        self.status = status
        self.message = message
        self.retryAfter = retryAfter
    }

    var response: HTTPResponse {
        var response = ResponseEncoder.failure(self.status, self.message)
        if let retryAfter { response.headers.append(("retry-after", "\(retryAfter)")) }
        return response
    }
}

/// The line and headers of a request, parsed and checked (RFC 9112). It accepts what conforming clients send and
/// refuses everything a proxy could read differently.
struct RequestHead {
    /// How the body is delimited.
    enum Framing: Equatable {
        case none
        case length(Int)
        case chunked
    }

    var method = ""
    var path = ""
    var query: [(name: String, value: String)] = []
    var headers: [String: String] = [:]
    var framing = Framing.none
    var keepsAlive = true
    /// HTTP/1.1, so 100-continue and upgrades may be used.
    var isCurrentVersion = true

    static let maxHeaders = 128

    /// Parses the bytes before the empty line, line ends between them included.
    init(parsing bytes: ArraySlice<UInt8>) throws(HTTPFailure) {
        var lines: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        while start <= bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
            var line = bytes[start..<end]
            if end != bytes.endIndex {
                guard line.last == UInt8(ascii: "\r") else {
                    throw HTTPFailure(400, "A line of the request does not end with CR LF.")
                }
                line = line.dropLast()
            }
            lines.append(line)
            start = end + 1
        }
        try self.parseRequestLine(lines[0])
        guard lines.count - 1 <= Self.maxHeaders else {
            throw HTTPFailure(431, "The request has more than \(Self.maxHeaders) headers.")
        }
        var lengths = 0
        var hosts = 0
        for line in lines.dropFirst() {
            let (name, value) = try Self.parseHeader(line)
            if name == "content-length" { lengths += 1 }
            if name == "host" { hosts += 1 }
            if let earlier = self.headers[name] {
                self.headers[name] = earlier + (name == "cookie" ? "; " : ", ") + value
            } else {
                self.headers[name] = value
            }
        }
        guard hosts == 1 || (hosts == 0 && !self.isCurrentVersion) else {
            throw HTTPFailure(400, "The request needs exactly one Host header.")
        }
        guard lengths <= 1 else { throw HTTPFailure(400, "The request has more than one Content-Length.") }
        try self.parseFraming()
        let connection = HTTPToken.list(self.headers["connection"])
        if connection.contains("close") {
            self.keepsAlive = false
        } else if !self.isCurrentVersion {
            self.keepsAlive = connection.contains("keep-alive")
        }
    }

    /// True when the client asks to become a WebSocket (RFC 6455, 4.2.1), well-formed or not.
    var asksForWebSocket: Bool {
        self.method == "GET" && self.isCurrentVersion && HTTPToken.list(self.headers["upgrade"]).contains("websocket")
            && HTTPToken.list(self.headers["connection"]).contains("upgrade")
    }

    var expectsContinue: Bool {
        self.isCurrentVersion && self.headers["expect"]?.lowercased() == "100-continue"
    }

    // MARK: - Parts

    private mutating func parseRequestLine(_ line: ArraySlice<UInt8>) throws(HTTPFailure) {
        let parts = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, parts[0].count <= 32, parts[0].allSatisfy(HTTPToken.isTokenByte),
            parts[1].allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw HTTPFailure(400, "The request line is not valid HTTP.") }
        switch String(decoding: parts[2], as: UTF8.self) {
        case "HTTP/1.1": break
        case "HTTP/1.0": self.isCurrentVersion = false
        case let version where version.hasPrefix("HTTP/"):
            throw HTTPFailure(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
        default: throw HTTPFailure(400, "The request line is not valid HTTP.")
        }
        self.method = String(decoding: parts[0], as: UTF8.self)
        switch self.method {
        case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS": break
        default: throw HTTPFailure(501, "This method is not supported.")
        }
        var target = parts[1]
        if target.first != UInt8(ascii: "/") {
            if self.method == "OPTIONS", target.elementsEqual([UInt8(ascii: "*")]) {
                self.path = "*"
                return
            }
            target = try Self.originForm(target)
        }
        let path = target.prefix { $0 != UInt8(ascii: "?") }
        guard !path.contains(UInt8(ascii: "#")) else {
            throw HTTPFailure(400, "The request target must not hold a fragment.")
        }
        self.path = String(decoding: path, as: UTF8.self)
        guard let query = PercentDecoding.query(target.dropFirst(path.count + 1)) else {
            throw HTTPFailure(400, "The query string does not decode to valid UTF-8.")
        }
        self.query = query
    }

    /// `http://host/path` (which servers must accept) as `/path`.
    private static func originForm(_ target: ArraySlice<UInt8>) throws(HTTPFailure) -> ArraySlice<UInt8> {
        let text = String(decoding: target, as: UTF8.self).lowercased()
        guard let scheme = ["http://", "https://"].first(where: { text.hasPrefix($0) }) else {
            throw HTTPFailure(400, "The request target is neither a path nor an http URL.")
        }
        let rest = target.dropFirst(scheme.utf8.count)
        guard let slash = rest.firstIndex(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }) else {
            return [UInt8(ascii: "/")]
        }
        return rest[slash] == UInt8(ascii: "/") ? rest[slash...] : ([UInt8(ascii: "/")] + rest[slash...])[...]
    }

    private static func parseHeader(_ line: ArraySlice<UInt8>) throws(HTTPFailure) -> (String, String) {
        let name = line.prefix { $0 != UInt8(ascii: ":") }
        guard !name.isEmpty, name.count < line.count, name.allSatisfy(HTTPToken.isTokenByte) else {
            throw HTTPFailure(400, "A header line is not valid HTTP.")
        }
        var value = line.dropFirst(name.count + 1)
        while let first = value.first, first == 0x20 || first == 9 { value = value.dropFirst() }
        while let last = value.last, last == 0x20 || last == 9 { value = value.dropLast() }
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 9 }) else {
            throw HTTPFailure(400, "A header holds a control character.")
        }
        let text = String(validating: value, as: UTF8.self) ?? String(value.map { Character(Unicode.Scalar($0)) })
        return (String(decoding: name, as: UTF8.self).lowercased(), text)
    }

    private mutating func parseFraming() throws(HTTPFailure) {
        if let coding = self.headers["transfer-encoding"] {
            guard self.isCurrentVersion, self.headers["content-length"] == nil else {
                throw HTTPFailure(400, "Transfer-Encoding and Content-Length exclude each other.")
            }
            guard coding.lowercased() == "chunked" else {
                throw HTTPFailure(501, "Only the chunked transfer coding is supported.")
            }
            self.framing = .chunked
        } else if let length = self.headers["content-length"] {
            guard !length.isEmpty, length.utf8.count <= 18, length.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
                let count = Int(length)
            else { throw HTTPFailure(400, "Content-Length is not a number.") }
            self.framing = count == 0 ? .none : .length(count)
        }
    }
}

/// Tokens and lists of header values (RFC 9110, 5.6).
enum HTTPToken {
    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    /// The members of a comma-separated header in lower case.
    static func list(_ value: String?) -> [String] {
        guard let value else { return [] }
        return value.lowercased().split(separator: ",").map { part in
            var part = part
            while let first = part.first, first == " " || first == "\t" { part.removeFirst() }
            while let last = part.last, last == " " || last == "\t" { part.removeLast() }
            return String(part)
        }
    }
}
