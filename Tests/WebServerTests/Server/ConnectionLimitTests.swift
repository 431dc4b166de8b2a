import Glibc
import Support
import Testing

@testable import WebServer

/// Limits of connections, with real sockets, all of them from 127.0.0.1.
@Suite(.timeLimit(.minutes(1)))
struct ConnectionLimitTests {
    private static let health = TestClient.get("/health/live")

    /// Says "hello" at `/`, and names the user of `/as/<user>`.
    private static let handle: TestServer.Handle = { request, responder in
        guard request.path.hasPrefix("/as/") else { return responder.respond(HTTPResponse(status: 200)) }
        let isNamed = responder.attribute(to: String(request.path.dropFirst(4)))
        responder.respond(HTTPResponse(status: isNamed ? 200 : 409))
    }

    private static func connect(_ port: Int, _ path: String = "/") throws -> (client: TestClient, status: Int) {
        let client = try TestClient(port: port)
        return (client, try client.request(TestClient.get(path)).status)
    }

    @Test func turnsAwayConnectionsOverTheLimitAndAnswersHealth() async throws {
        try await TestServer.run {
            $0.maxConnections = 3
            $0.alwaysServed = ["/health/live"]
        } _: { server, port in
            var held = try (0..<3).map { _ in try Self.connect(port) }
            // Those who only connect take no place from those who ask for health, however many.
            let silent = try (0..<ServerCore.annexSize * 2).map { _ in try TestClient(port: port) }
            let refused = try TestClient(port: port)
            let response = try refused.request(TestClient.get("/"))
            #expect(response.status == 503)
            #expect(response.headers["retry-after"] == "5")
            #expect(refused.isAtEnd())
            let checker = try TestClient(port: port)
            #expect(try checker.request(Self.health).status == 200)
            #expect(checker.isAtEnd())
            let upload = try TestClient(port: port)
            #expect(
                try upload.request("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n").status == 503)
            #expect(server.seen.withLock { $0.requests.count } == 4)
            #expect(server.onLoop { server.server.connectionCount } <= 3 + ServerCore.annexSize)
            #expect(silent[0].isAtEnd())
            #expect(try held[0].client.request(TestClient.get("/")).status == 200)
            held.removeLast()
            // The place is free once the server has seen the end of the connection.
            var status = 503
            for _ in 0..<100 where status == 503 { status = try Self.connect(port).status }
            #expect(status == 200)
        }
    }

    @Test func limitsStrangersOfAnAddress() async throws {
        try await TestServer.run {
            $0.maxConnectionsPerAddress = 4
            $0.maxConnectionsPerUser = 3
            $0.alwaysServed = ["/health/live"]
        } handle: {
            Self.handle($0, $1)
        } _: { server, port in
            // Sockets that nobody has proven fill the address.
            let strangers = try (0..<4).map { _ in try TestClient.socket(port: port) }
            let refused = try TestClient(port: port)
            let response = try refused.request(TestClient.upgrade())
            #expect(response.status == 429)
            #expect(response.headers["retry-after"] == "5")
            #expect(try Self.connect(port, "/health/live").status == 200)
            // Named ones do not count for the address, but for the user.
            let sockets = server.seen.withLock { $0.sockets }
            #expect(server.onLoop { sockets[0].attribute(to: "u") && sockets[1].attribute(to: "u") })
            let third = try Self.connect(port, "/as/u")
            #expect(third.status == 200)
            let fourth = try Self.connect(port, "/as/u")
            #expect(fourth.status == 409)
            #expect(!server.onLoop { sockets[2].attribute(to: "u") })
            #expect(server.onLoop { sockets[2].attribute(to: "v") })
            // An idle HTTP connection makes way for the next of its address.
            let next = try (0..<3).map { _ in try Self.connect(port) }
            #expect(next.map(\.status) == [200, 200, 200])
            try strangers[3].send(TestClient.frame(1, [65]))
            #expect(try strangers[3].readFrame().text == "A")
        }
    }

    @Test func strangersMakeWayForNewerOnesAndLeaveTheReserve() async throws {
        let held = Locked<[HTTPResponder]>([])
        try await TestServer.run {
            $0.maxConnections = 6
            $0.reservedConnections = 2
        } handle: { request, responder in
            if request.path == "/hold" {
                held.withLock { $0.append(responder) }
            } else {
                Self.handle(request, responder)
            }
        } _: { server, port in
            let busy = try (0..<3).map { _ in try TestClient(port: port) }
            for client in busy { try client.send(TestClient.get("/hold")) }
            #expect(await server.eventually { $0.requests.count == 3 })
            let idle = try TestClient.socket(port: port)
            // The idle stranger goes, those who wait for an answer stay.
            let newer = try TestClient(port: port)
            try newer.send(TestClient.get("/hold"))
            #expect(idle.isAtEnd())
            #expect(await server.eventually { $0.requests.count == 5 && $0.closed == 1 })
            #expect(try Self.connect(port).status == 503)
            let responders = held.withLock { $0 }
            // A user is proven on one of them, so the address is known, and has the reserve.
            #expect(server.onLoop { responders[0].attribute(to: "u") })
            #expect(try Self.connect(port).status == 200)
            for responder in responders { responder.respond(HTTPResponse(status: 200)) }
            for client in busy { #expect(try client.readResponse().status == 200) }
        }
    }

    @Test func aSocketOfNoUseIsClosed() async throws {
        try await TestServer.run {
            $0.establishTimeout = .milliseconds(300)
        } received: { socket, _ in
            socket.establish()
        } _: { server, port in
            let useless = try TestClient.socket(port: port)
            let joined = try TestClient.socket(port: port)
            try joined.send(TestClient.frame(1, [65]))
            for _ in 0..<6 {
                usleep(100_000)
                // Frames alone do not make it of use.
                try? useless.send(TestClient.frame(10, []))
            }
            #expect(try useless.readFrame().closeCode == 1008)
            #expect(useless.isAtEnd())
            try joined.send(TestClient.frame(9, [1]))
            #expect(try joined.readFrame() == .init(opcode: 10, payload: [1]))
        }
    }

    @Test func acceptedSocketsFindTheirPeerGone() async throws {
        try await TestServer.run { _, port in
            let client = try TestClient.socket(port: port)
            let tcp = Int32(IPPROTO_TCP)
            for (level, option, value) in [
                (SOL_SOCKET, SO_KEEPALIVE, 1), (tcp, TCP_KEEPIDLE, 60), (tcp, TCP_KEEPINTVL, 10), (tcp, TCP_KEEPCNT, 3),
                (tcp, TCP_USER_TIMEOUT, 90_000), (tcp, TCP_NODELAY, 1),
            ] as [(Int32, Int32, Int32)] {
                #expect(try client.serverOption(level, option) == value, "option \(option)")
            }
        }
    }
}
