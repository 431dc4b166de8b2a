internal import ParleyCore
public import WebServer

/// `/health/live` and `/health/ready`.
public struct HealthRoutes: Sendable {
    /// What the server answers even when it has room for nothing else.
    static let paths: Set<String> = ["/health/live", "/health/ready"]

    private let problems: @Sendable () -> [String]

    /// - Parameter problems: why the worker cannot serve at this moment, one constant phrase each, for example
    ///   `database unreachable`; empty when it can. Called on the server's loop, so it must not block.
    public init(problems: @escaping @Sendable () -> [String]) { self.problems = problems }

    /// Answers a request for a health path. - Returns: false for any other path.
    public func handle(_ request: HTTPRequest, _ responder: HTTPResponder) -> Bool {
        guard Self.paths.contains(request.path) else { return false }
        guard request.method == "GET" || request.method == "HEAD" else {
            responder.respond(
                HTTPResponse(status: 405, headers: [("Allow", "GET, HEAD")], body: []))
            return true
        }
        responder.respond(self.response(request.path))
        return true
    }

    private func response(_ path: String) -> HTTPResponse {
        // Live says that the loop turns, which this answer proves.
        guard path == "/health/ready" else { return Self.json(200, #"{"status":"live"}"#) }
        let problems = self.problems()
        guard !problems.isEmpty else { return Self.json(200, #"{"status":"ready"}"#) }
        var writer = JSONWriter()
        writer.value(["status": "unavailable", "reasons": .array(problems.map { .string($0) })])
        return Self.json(503, String(decoding: writer.bytes, as: UTF8.self))
    }

    private static func json(_ status: Int, _ body: String) -> HTTPResponse {
        HTTPResponse(
            status: status,
            headers: [("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-store")],
            body: Array(body.utf8))
    }
}
