import FoundationEssentials
import Support
import WebServer

/// A web server on a free port of this machine.
final class KeyServer: ServerHandler {
    let requests = Locked(0)
    private let server = Locked<WebServer?>(nil)
    private let answer: @Sendable (HTTPRequest, HTTPResponder) -> Void

    static func with<Result>(
        _ answer: @escaping @Sendable (HTTPRequest, HTTPResponder) -> Void,
        test body: (KeyServer) async throws -> Result
    ) async throws -> Result {
        let handler = KeyServer(answer)
        let server = try WebServer(ServerConfiguration(), handler: handler, log: Log(label: "test", threshold: .error))
        try server.start()
        handler.server.withLock { $0 = server }
        do {
            let result = try await body(handler)
            await server.shutdown()
            return result
        } catch {
            await server.shutdown()
            throw error
        }
    }

    private init(_ answer: @escaping @Sendable (HTTPRequest, HTTPResponder) -> Void) {
        self.answer = answer
    }

    func url(_ path: String) -> String { "http://localhost:\(self.server.withLock { $0?.port ?? 0 })\(path)" }

    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        self.requests.withLock { $0 += 1 }
        self.answer(request, responder)
    }

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision { .refuse(HTTPResponse(status: 404)) }
    func opened(_ socket: WebSocket) {}
    func received(_ socket: WebSocket, _ message: SocketMessage) {}
    func closed(_ socket: WebSocket) {}
}
