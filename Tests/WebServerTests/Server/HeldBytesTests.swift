import Glibc
import Support
import Testing

@testable import WebServer

/// What answers, sockets and unfinished requests hold, with peers that do not read or finish.
@Suite(.timeLimit(.minutes(2)))
struct HeldBytesTests {
    private static let mebibyte = 1 << 20

    /// Answers `/<kibibytes>`.
    private static let handle: TestServer.Handle = { request, responder in
        let size = (Int(request.path.dropFirst()) ?? 0) * 1024
        responder.respond(HTTPResponse(status: 200, body: [UInt8](repeating: 65, count: size)))
    }

    /// A client that takes next to nothing, and the server's end too.
    private static func narrow(_ port: Int) throws -> TestClient {
        let client = try TestClient(port: port, receiveBuffer: 4096)
        // Answered, so that the server has accepted it.
        _ = try client.request(TestClient.get("/0"))
        try client.shrinkServerBuffer()
        return client
    }

    /// Blocks: a busy task pool must not stretch it beyond the limits of the server.
    private static func wait(_ condition: () -> Bool) { for _ in 0..<1000 where !condition() { usleep(5000) } }

    private static func held(_ server: TestServer) -> Int { server.onLoop { server.server.heldBytes } }

    @Test func readersThatDoNotReadAreBounded() async throws {
        let ceiling = 16 * Self.mebibyte
        try await TestServer.run {
            $0.maxHeldBytes = ceiling
            $0.maxAnswerBytes = 4 * Self.mebibyte
            $0.stallTimeout = .seconds(60)
        } handle: {
            Self.handle($0, $1)
        } _: { server, port in
            let clients = try (0..<20).map { _ in try Self.narrow(port) }
            for client in clients { try client.send(TestClient.get("/2048")) }
            #expect(await server.eventually { $0.requests.count == 40 })
            // One address has half of it.
            #expect(Self.held(server) <= ceiling / 2 + Self.mebibyte)
            #expect(Self.held(server) >= ceiling / 4)
            // The others were answered at once, small requests are served, and so are big ones that fit.
            let prompt = try TestClient(port: port)
            #expect(try prompt.request(TestClient.get("/1")).body.count == 1024)
            let refused = try prompt.request(TestClient.get("/2048"))
            #expect(refused.status == 503)
            #expect(refused.headers["retry-after"] == "5")
            #expect(try prompt.request(TestClient.get("/5000")).status == 413)
            // What was given is whole, however late it is read.
            let answers = try clients.map { try $0.readResponse() }
            #expect(answers.count { $0.status == 503 } >= 15)
            let given = answers.filter { $0.status == 200 }
            #expect((3...4).contains(given.count))
            #expect(given.allSatisfy { $0.body.count == 2 * Self.mebibyte })
            #expect(Self.held(server) == 0)
        }
    }

    @Test func readersThatStallMakeWayForOthers() async throws {
        try await TestServer.run {
            $0.maxHeldBytes = 4 * Self.mebibyte
            $0.stallTimeout = .milliseconds(200)
        } handle: {
            Self.handle($0, $1)
        } _: { server, port in
            let clients = try (0..<2).map { _ in try Self.narrow(port) }
            for client in clients { try client.send(TestClient.get("/900")) }
            #expect(await server.eventually { $0.requests.count == 4 })
            #expect(Self.held(server) > 1800 * 1024)
            // A third of that size is over the share of the address.
            try await Task.sleep(for: .milliseconds(400))
            #expect(try TestClient(port: port).request(TestClient.get("/900")).status == 200)
            #expect(Self.held(server) < 1500 * 1024)
        }
    }

    @Test func theStalledMakeWay() async throws {
        try await TestServer.run {
            $0.maxHeldBytes = 2 * Self.mebibyte
        } handle: {
            Self.handle($0, $1)
        } received: { socket, _ in
            socket.send(Frame(binary: [UInt8](repeating: 1, count: 1500 * 1024)))
        } _: { server, port in
            let sleeper = try TestClient.socket(port: port, receiveBuffer: 4096)
            try sleeper.shrinkServerBuffer()
            try sleeper.send(TestClient.frame(1, [65]))
            #expect(await server.eventually { $0.messages.count == 1 })
            let prompt = try TestClient(port: port)
            // A socket that the answer has no room beside: it goes, although it did not stall.
            #expect(try prompt.request(TestClient.get("/900")).status == 200)
            #expect(await server.eventually { $0.closed == 1 })
        }
    }

    @Test func socketsStayBelowTheCeilingTogether() async throws {
        let ceiling = 4 * Self.mebibyte
        try await TestServer.run {
            $0.maxHeldBytes = ceiling
        } received: { socket, _ in
            socket.send(Frame(binary: [UInt8](repeating: 1, count: 300 * 1024)))
        } _: { server, port in
            let sockets = try (0..<40).map { _ in try TestClient.socket(port: port, receiveBuffer: 4096) }
            for socket in sockets { try socket.shrinkServerBuffer() }
            for round in 0..<2 {
                for (n, socket) in sockets.enumerated() {
                    try? socket.send(TestClient.frame(1, [65]))
                    let before = server.seen.withLock { $0.closed }
                    if round == 0, before == 0 { #expect(await server.eventually { $0.messages.count > n }) }
                }
            }
            #expect(await server.eventually { $0.closed > 20 })
            #expect(Self.held(server) <= ceiling)
            let prompt = try TestClient.socket(port: port)
            try prompt.send(TestClient.frame(1, [65]))
            #expect(try prompt.readFrame().payload.count == 300 * 1024)
        }
    }

    @Test func aFrameForManyCountsOnce() async throws {
        try await TestServer.run {
            $0.maxHeldBytes = 8 * Self.mebibyte
        } _: { server, port in
            let sockets = try (0..<50).map { _ in try TestClient.socket(port: port, receiveBuffer: 4096) }
            for socket in sockets { try socket.shrinkServerBuffer() }
            #expect(await server.eventually { $0.opened == 50 })
            let open = server.seen.withLock { $0.sockets }
            server.onLoop {
                let frame = Frame(binary: [UInt8](repeating: 1, count: 400 * 1024))
                for socket in open { socket.send(frame) }
            }
            // Beside the frame, what lws holds back of it for each.
            #expect(Self.held(server) >= 400 * 1024)
            for socket in sockets { #expect(try socket.readFrame().payload.count == 400 * 1024) }
            #expect(await server.eventually { $0.closed == 0 })
        }
    }

    @Test func unfinishedUploadsAndMessagesCount() async throws {
        let ceiling = 4 * Self.mebibyte
        try await TestServer.run {
            $0.maxHeldBytes = ceiling
            $0.alwaysServed = ["/health"]
            $0.bodyTimeout = .seconds(600)
            $0.establishTimeout = .seconds(600)
        } handle: {
            Self.handle($0, $1)
        } _: { server, port in
            let half = [UInt8](repeating: 65, count: 900 * 1024)
            var uploads: [TestClient] = []
            for n in 0..<4 {
                if n % 2 == 0 {
                    let client = try TestClient(port: port)
                    try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(Self.mebibyte)\r\n\r\n")
                    try client.send(half)
                    uploads.append(client)
                } else {
                    let client = try TestClient.socket(port: port)
                    try client.send(Array(TestClient.frame(2, half + half.prefix(102_400)).prefix(half.count)))
                    uploads.append(client)
                }
            }
            Self.wait { Self.held(server) >= 3500 * 1024 }
            #expect(Self.held(server) >= 3500 * 1024)
            let late = try TestClient(port: port)
            let refused = try late.request("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(Self.mebibyte)\r\n\r\n")
            #expect(refused.status == 503)
            #expect(refused.headers["retry-after"] == "2")
            #expect(late.isAtEnd())
            uploads = []
            Self.wait { Self.held(server) == 0 }
            #expect(Self.held(server) == 0)
        }
    }

    /// Too many who hold too little to be closed for it: requests are refused before their handler acts.
    @Test func requestsAreRefusedWhileTooMuchIsHeld() async throws {
        try await TestServer.run {
            $0.maxHeldBytes = Self.mebibyte
            $0.alwaysServed = ["/health"]
        } handle: {
            Self.handle($0, $1)
        } _: { server, port in
            let clients = try (0..<40).map { _ in try Self.narrow(port) }
            for client in clients { try client.send(TestClient.get("/63")) }
            Self.wait { Self.held(server) > Self.mebibyte }
            #expect(Self.held(server) > Self.mebibyte)
            let before = server.seen.withLock { $0.requests.count }
            for request in [TestClient.get("/1"), TestClient.upgrade()] {
                let client = try TestClient(port: port)
                let response = try client.request(request)
                #expect(response.status == 503)
                #expect(response.headers["retry-after"] == "2")
            }
            let checker = try TestClient(port: port)
            #expect(try checker.request(TestClient.get("/health")).status == 200)
            #expect(server.seen.withLock { $0.requests.count } == before + 1)
            // They read, and all is well again.
            for client in clients.prefix(16) { #expect(try client.readResponse().body.count == 63 * 1024) }
            #expect(try TestClient(port: port).request(TestClient.get("/1")).status == 200)
        }
    }
}
