internal import Support
internal import WebServer

/// What the web server calls: requests go to the router, sockets to the realtime service.
///
/// The server makes the event loop that the services are pinned to, so they are made after this and handed over with
/// ``connect(_:_:)`` before the server listens.
final class WorkerHandler: ServerHandler {
    private struct Services: Sendable {
        let router: HTTPRouter
        let realtime: RealtimeService
    }

    private let connected = Locked<Services?>(nil)

    /// To be called once, before the server starts.
    func connect(_ router: HTTPRouter, _ realtime: RealtimeService) {
        self.connected.withLock { $0 = Services(router: router, realtime: realtime) }
    }

    private var services: Services {
        guard let services = self.connected.withLock({ $0 }) else {
            preconditionFailure("the server listens before it is wired")
        }
        return services
    }

    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) { self.services.router.handle(request, responder) }

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision { self.services.realtime.upgrade(request) }
    func opened(_ socket: WebSocket) { self.services.realtime.opened(socket) }

    func received(_ socket: WebSocket, _ message: SocketMessage) { self.services.realtime.received(socket, message) }

    func closed(_ socket: WebSocket) { self.services.realtime.closed(socket) }
}
