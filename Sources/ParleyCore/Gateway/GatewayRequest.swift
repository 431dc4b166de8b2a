/// One HTTP request to the gateway, percent-decoding already done.
public struct GatewayRequest: Sendable, Equatable {
    public struct Parameter: Sendable, Equatable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// What a path below the gateway's prefix names.
    public enum Target: Sendable, Equatable {
        /// The root, which describes the API.
        case description
        case relation(String)
        case function(String)
    }

    public var method: String
    /// The path below the gateway's prefix, each segment decoded: `rpc`, `send_message`.
    public var segments: [String]
    public var query: [Parameter]
    /// Names in lower case.
    public var headers: [String: String]
    public var body: [UInt8]

    public init(
        method: String, segments: [String], query: [Parameter] = [], headers: [String: String] = [:],
        body: [UInt8] = []
    ) {
        self.method = method
        self.segments = segments
        self.query = query
        self.headers = headers
        self.body = body
    }

    public var isHead: Bool { self.method == "HEAD" }
    var isRead: Bool { self.method == "GET" || self.method == "HEAD" }

    /// The view or function the path names.
    public func target() throws(APIError) -> Target {
        let segments = self.segments
        switch segments.count {
        case 0: return .description
        case 1 where segments[0].isEmpty: return .description
        case 1 where segments[0] != "rpc": return .relation(segments[0])
        case 2 where segments[0] == "rpc" && !segments[1].isEmpty: return .function(segments[1])
        default: throw .path
        }
    }

    /// Refuses a profile header that names another schema. Answers whether one was given, so that the response names
    /// it too.
    func checkProfile(_ schema: String) throws(APIError) -> Bool {
        guard let profile = self.headers[self.isRead ? "accept-profile" : "content-profile"] else { return false }
        guard profile == schema else { throw .schema(profile, exposed: schema) }
        return true
    }

    /// Refuses a zero byte wherever the request could carry it into SQL.
    func checkZeroBytes() throws(APIError) {
        let texts = self.segments + self.query.flatMap { [$0.name, $0.value] }
        guard !texts.contains(where: { $0.utf8.contains(0) }) else { throw .zeroByte }
    }
}
