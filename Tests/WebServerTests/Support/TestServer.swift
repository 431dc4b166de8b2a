import Support
import Synchronization

@testable import WebServer

/// What the handler of a test saw, for assertions from the test's thread.
struct Seen: Sendable {
    var requests: [HTTPRequest] = []
    var messages: [SocketMessage] = []
    var opened = 0
    var closed = 0
    var sockets: [WebSocket] = []
}

/// A server on a free port whose behaviour a test sets with closures.
final class TestServer: ServerHandler {
    typealias Handle = @Sendable (HTTPRequest, HTTPResponder) -> Void
    typealias Upgrade = @Sendable (HTTPRequest) -> UpgradeDecision
    typealias Received = @Sendable (WebSocket, SocketMessage) -> Void

    final class Context: Sendable {}

    let seen = Locked(Seen())
    private let running = Locked<WebServer?>(nil)
    private let onHandle: Handle
    private let onUpgrade: Upgrade
    private let onReceived: Received

    init(handle: @escaping Handle, upgrade: @escaping Upgrade, received: @escaping Received) {
        self.onHandle = handle
        self.onUpgrade = upgrade
        self.onReceived = received
    }

    var server: WebServer {
        guard let server = self.running.withLock({ $0 }) else { fatalError("the test server is not running") }
        return server
    }

    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        self.seen.withLock { $0.requests.append(request) }
        self.onHandle(request, responder)
    }

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
        self.seen.withLock { $0.requests.append(request) }
        return self.onUpgrade(request)
    }

    func opened(_ socket: WebSocket) {
        self.seen.withLock {
            $0.opened += 1
            $0.sockets.append(socket)
        }
    }

    func received(_ socket: WebSocket, _ message: SocketMessage) {
        self.seen.withLock { $0.messages.append(message) }
        self.onReceived(socket, message)
    }

    func closed(_ socket: WebSocket) {
        self.seen.withLock { $0.closed += 1 }
    }

    /// Echoes messages, and requests' bodies.
    static let echo: Received = { socket, message in
        switch message {
        case .text(let bytes): socket.send(Frame(text: bytes))
        case .binary(let bytes): socket.send(Frame(binary: bytes))
        }
    }

    /// Runs `body` against a fresh server, and shuts it down.
    static func run(
        _ configure: (inout ServerConfiguration) -> Void = { _ in },
        handle: @escaping Handle = { request, responder in
            responder.respond(HTTPResponse(status: 200, headers: [("content-type", "text/plain")], body: request.body))
        },
        upgrade: @escaping Upgrade = { _ in .accept(context: Context()) },
        received: @escaping Received = TestServer.echo,
        _ body: (TestServer, Int) async throws -> Void
    ) async throws {
        var configuration = ServerConfiguration()
        configuration.closeTimeout = .milliseconds(500)
        configure(&configuration)
        let handler = TestServer(handle: handle, upgrade: upgrade, received: received)
        let server = try WebServer(configuration, handler: handler, log: Log(label: "test", threshold: .error))
        try server.start()
        handler.running.withLock { $0 = server }
        do {
            try await body(handler, server.port)
        } catch {
            await handler.stop()
            throw error
        }
        await handler.stop()
    }

    private func stop() async {
        let server = self.server
        await server.shutdown()
        self.running.withLock { $0 = nil }
    }

    /// Waits until the condition on what was seen holds; nil when it does not within two seconds.
    func eventually(_ condition: @Sendable (Seen) -> Bool) async -> Bool {
        for _ in 0..<400 {
            if self.seen.withLock({ condition($0) }) { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    /// Runs work on the loop's thread and waits for it.
    func onLoop<Result: Sendable>(_ work: @escaping @Sendable () -> Result) -> Result { self.server.loop.wait(work) }
}
