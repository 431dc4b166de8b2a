internal import ParleyCore
internal import WebServer

/// `/metrics`, in the text format of OpenMetrics, for who has a token of the service role.
struct MetricsRoute: Sendable {
    static let path = "/metrics"

    /// Whether a token is good and of the service role.
    let isAllowed: @Sendable (_ token: String) -> Bool
    /// Each a part of the answer.
    let sources: [@Sendable () -> String]

    /// - Returns: false for any other path.
    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) -> Bool {
        guard request.path == Self.path else { return false }
        guard request.method == "GET" || request.method == "HEAD" else {
            responder.respond(HTTPResponse(status: 405, headers: [("Allow", "GET, HEAD")], body: []))
            return true
        }
        guard case .token(let token) = BearerToken(request.headers), self.isAllowed(token) else {
            responder.respond(HTTPRefusal.unauthorized.response)
            return true
        }
        let text = self.sources.map { $0() }.joined() + "# EOF\n"
        responder.respond(
            HTTPResponse(
                status: 200,
                headers: [
                    ("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
                    ("Cache-Control", "no-store"),
                ], body: Array(text.utf8)))
        return true
    }
}
