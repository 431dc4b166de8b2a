internal import Support
internal import WebServer

/// What the web server calls: requests go to the router, sockets to the realtime service.
///
/// The server makes the event loop that the services are pinned to, so they are made after this and handed over with
/// ``open(_:_:)`` before the server listens.
final class FrontDoor: ServerHandler {
    private struct Rooms: Sendable {
        let router: HTTPRouter
        let realtime: RealtimeService
    }

    private let rooms = Locked<Rooms?>(nil)

    /// To be called once, before the server starts.
    func open(_ router: HTTPRouter, _ realtime: RealtimeService) {
        self.rooms.withLock { $0 = Rooms(router: router, realtime: realtime) }
    }

    private var opened: Rooms {
        guard let rooms = self.rooms.withLock({ $0 }) else {
            preconditionFailure("the server listens before it is wired")
        }
        return rooms
    }

    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) { self.opened.router.handle(request, responder) }

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision { self.opened.realtime.upgrade(request) }
    func opened(_ socket: WebSocket) { self.opened.realtime.opened(socket) }

    func received(_ socket: WebSocket, _ message: SocketMessage) { self.opened.realtime.received(socket, message) }

    func closed(_ socket: WebSocket) { self.opened.realtime.closed(socket) }
}
