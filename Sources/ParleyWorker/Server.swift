public import Support
internal import WebServer

/// Runs the worker until `stops` yields, then drains it.
///
/// - Parameters:
///   - stops: one element asks for a graceful stop, a second one cuts it short.
///   - ready: called once with the address when requests are served.
/// - Throws: what kept the worker from starting, or the first error of one of its services.
public func runServer(
    _ configuration: ServeConfiguration, log: Log, stops: AsyncStream<Void>,
    ready: @escaping @Sendable (_ url: String) -> Void = { _ in }
) async throws {
    let verifier = try await TokenVerifier.make(configuration, log: log)
    let server = try WebServer(
        ServerConfiguration(host: configuration.host, port: configuration.port), handler: HealthHandler(),
        log: log.labelled("web"))
    let service = WebService(server: server, host: configuration.host, ready: ready)
    try await ServiceGroup([verifier, service], drainTime: configuration.drainTime, log: log).run(stops: stops)
}

/// The listening half of the worker.
struct WebService: Service {
    let name = "web"
    let server: WebServer
    let host: String
    let ready: @Sendable (String) -> Void

    func run() async throws {
        try self.server.start()
        self.ready("http://\(self.host):\(self.server.port)")
        // Until cancelled: the loop works on its own thread.
        let (waiting, _) = AsyncStream.makeStream(of: Void.self)
        for await _ in waiting {}
        await self.server.shutdown()
    }

    func drain() async { self.server.stopAccepting() }
}

/// Answers `/health/live` only.
final class HealthHandler: ServerHandler {
    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        responder.respond(HTTPResponse(status: request.path == "/health/live" ? 200 : 404))
    }

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision { .refuse(HTTPResponse(status: 404)) }
    func opened(_ socket: WebSocket) {}
    func received(_ socket: WebSocket, _ message: SocketMessage) {}
    func closed(_ socket: WebSocket) {}
}
