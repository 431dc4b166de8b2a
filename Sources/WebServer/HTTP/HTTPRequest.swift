/// A complete HTTP/1.1 request.
public struct HTTPRequest: Sendable {
    /// As sent, in capitals for the known ones: `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`, `OPTIONS`.
    public var method: String
    /// The path exactly as it was sent, still percent-encoded, without the query: split it at "/" first and decode
    /// the parts after (``HTTPRequest/segments``), so that an encoded slash stays part of a name.
    public var path: String
    /// The query's pairs in order, names and values decoded ("+" is a space).
    public var query: [(name: String, value: String)]
    /// Header values by lower-case name; repeated headers are joined with ", ".
    public var headers: [String: String]
    public var body: [UInt8]
    /// The peer's numeric address, without its port.
    public var peer: String

    public init(
        method: String, path: String, query: [(name: String, value: String)] = [], headers: [String: String] = [:],
        body: [UInt8] = [], peer: String = ""
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.peer = peer
    }

    /// The decoded segments of the path (`/a/b%2Fc` is `a` and `b/c`), or nil when one of them does not decode.
    public var segments: [String]? {
        var segments: [String] = []
        for part in self.path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let segment = PercentDecoding.decode(part, plusIsSpace: false) else { return nil }
            segments.append(segment)
        }
        return segments
    }

    /// The first query value of this name.
    public func queryValue(_ name: String) -> String? { self.query.first { $0.name == name }?.value }
}
