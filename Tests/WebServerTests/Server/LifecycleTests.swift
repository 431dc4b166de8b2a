import Support
import Testing

@testable import WebServer

@Suite(.timeLimit(.minutes(1)))
struct LifecycleTests {
    private final class Nobody: ServerHandler {
        func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {}
        func upgrade(_ request: HTTPRequest) -> UpgradeDecision { .refuse(HTTPResponse(status: 404)) }
        func opened(_ socket: WebSocket) {}
        func received(_ socket: WebSocket, _ message: SocketMessage) {}
        func closed(_ socket: WebSocket) {}
    }

    @Test func stopsAcceptingAndDrains() async throws {
        let held = Locked<HTTPResponder?>(nil)
        try await TestServer.run { _ in
        } handle: { request, responder in
            if request.path == "/hold" {
                held.withLock { $0 = responder }
            } else {
                responder.respond(HTTPResponse(status: 200))
            }
        } _: { server, port in
            let socket = try TestClient.socket(port: port)
            let idle = try TestClient(port: port)
            #expect(try idle.request(TestClient.get("/")).status == 200)
            let busy = try TestClient(port: port)
            try busy.send(TestClient.get("/hold"))
            #expect(await server.eventually { $0.requests.count == 3 })
            server.server.stopAccepting()
            #expect(idle.isAtEnd())
            #expect(throws: ClientError.self) { try TestClient(port: port) }
            // Open sockets and requests go on.
            try socket.send(TestClient.frame(1, [65]))
            #expect(try socket.readFrame().text == "A")
            held.withLock { $0 }?.respond(HTTPResponse(status: 200, body: [66]))
            let response = try busy.readResponse()
            #expect(response.text == "B")
            #expect(response.headers["connection"] == "close")
            #expect(busy.isAtEnd())
            await server.server.closeSockets(code: 1012, reason: "restart", batch: 1, interval: .milliseconds(1))
            #expect(try socket.readFrame().closeCode == 1012)
            #expect(socket.isAtEnd())
            #expect(await server.eventually { $0.closed == 1 })
        }
    }

    @Test func shutdownClosesEverySocketAndTellsTheHandler() async throws {
        let clients = Locked<[TestClient]>([])
        let server = Locked<TestServer?>(nil)
        try await TestServer.run { test, port in
            for _ in 0..<50 { clients.withLock { $0.append(try! TestClient.socket(port: port)) } }
            #expect(await test.eventually { $0.opened == 50 })
            server.withLock { $0 = test }
        }
        let closed = server.withLock { $0?.seen.withLock { $0.closed } }
        #expect(closed == 50)
        clients.withLock { clients in
            for client in clients { #expect((try? client.readFrame())?.closeCode == 1012) }
        }
    }

    @Test func saysWhyItCannotStart() async throws {
        let log = Log(label: "test", threshold: .error)
        let first = try WebServer(ServerConfiguration(), handler: Nobody(), log: log)
        try first.start()
        #expect(throws: WebServerError.self) { try first.start() }
        func failure(_ configuration: ServerConfiguration) async throws -> WebServerError {
            let server = try WebServer(configuration, handler: Nobody(), log: log)
            let error = #expect(throws: WebServerError.self) { try server.start() }
            await server.shutdown()
            return try #require(error)
        }
        let taken = try await failure(ServerConfiguration(port: first.port))
        #expect(taken.code == .addressUnusable)
        #expect(taken.message.contains("port \(first.port)"))
        #expect(try await failure(ServerConfiguration(host: "not-an-address")).code == .addressUnusable)
        #expect(try await failure(ServerConfiguration(port: 70000)).code == .addressUnusable)
        var tls = ServerConfiguration()
        tls.tls = .init(certificatePath: "/nowhere/cert.pem", keyPath: "/nowhere/key.pem")
        #expect(try await failure(tls).code == .certificateUnusable)
        await first.shutdown()
        // The port is free again.
        let second = try WebServer(ServerConfiguration(port: first.port), handler: Nobody(), log: log)
        try second.start()
        await second.shutdown()
    }

    /// What cannot start ends cleanly, each time: the loop's thread destroys its context while others go on.
    @Test(arguments: [true, false])
    func failsToStartAHundredTimes(shutsDown: Bool) async throws {
        let log = Log(label: "test", threshold: .error)
        let first = try WebServer(ServerConfiguration(), handler: Nobody(), log: log)
        try first.start()
        var taken = ServerConfiguration(port: first.port)
        // The files are there, and are no certificate.
        taken.tls = .init(certificatePath: "/etc/passwd", keyPath: "/etc/passwd")
        for configuration in [ServerConfiguration(port: first.port), taken] {
            for _ in 0..<100 {
                let server = try WebServer(configuration, handler: Nobody(), log: log)
                #expect(throws: WebServerError.self) { try server.start() }
                // Without it the loop ends by itself, after its last owner.
                if shutsDown { await server.shutdown() }
            }
        }
        await first.shutdown()
    }

    @Test func listensOnIPv6() async throws {
        try await TestServer.run {
            $0.host = "::"
        } _: { server, port in
            // Through the IPv4-mapped address of the dual-stack socket.
            let client = try TestClient(port: port)
            #expect(try client.request(TestClient.get("/")).status == 200)
            #expect(server.seen.withLock { $0.requests[0].peer } == "::ffff:127.0.0.1")
        }
    }
}
