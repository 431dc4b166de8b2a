public import WebServer

/// Offers a request to one handler after the other; who answers, returns true. What nobody takes is a 404.
public struct HTTPRouter: Sendable {
    /// Takes a request, or returns false without touching the responder.
    public typealias Route = @Sendable (HTTPRequest, HTTPResponder) -> Bool

    private let routes: [Route]

    public init(_ routes: [Route]) { self.routes = routes }

    /// Called on the server's loop.
    public func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        for route in self.routes where route(request, responder) { return }
        responder.respond(HTTPRefusal(404, "There is nothing at this path.").response)
    }
}
