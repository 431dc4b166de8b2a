import Glibc
import Support
import Testing

@testable import WebServer

@Suite(.timeLimit(.minutes(1)))
struct SocketTests {
    @Test func handshakeAndEcho() async throws {
        try await TestServer.run { server, port in
            let client = try TestClient(port: port)
            let response = try client.request(
                TestClient.upgrade(
                    "/realtime/v1/websocket?apikey=k&vsn=1.0.0",
                    headers: [
                        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
                        "Sec-WebSocket-Protocol: chat",
                    ]))
            #expect(response.status == 101)
            // The worked example of RFC 6455, 1.3.
            #expect(response.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            #expect(response.headers["sec-websocket-protocol"] == nil)
            #expect(response.headers["sec-websocket-extensions"] == nil)
            for size in [0, 1, 125, 126, 65535, 65536, 1 << 20] {
                let payload = [UInt8](repeating: 0x61, count: size)
                try client.send(TestClient.frame(1, payload))
                #expect(try client.readFrame() == .init(opcode: 1, payload: payload))
                try client.send(TestClient.frame(2, payload))
                #expect(try client.readFrame() == .init(opcode: 2, payload: payload))
            }
            #expect(server.seen.withLock { $0.requests[0].queryValue("vsn") } == "1.0.0")
        }
    }

    @Test func firstFramesMayComeWithTheRequest() async throws {
        try await TestServer.run { _, port in
            let client = try TestClient(port: port)
            try client.send(Array(TestClient.upgrade().utf8) + TestClient.frame(1, [65]) + TestClient.frame(1, [66]))
            #expect(try client.readResponse().status == 101)
            #expect(try client.readFrame().text == "A")
            #expect(try client.readFrame().text == "B")
        }
    }

    @Test(arguments: [401, 403, 404, 429, 503])
    func refusalsCarryStatusAndBody(status: Int) async throws {
        try await TestServer.run { _ in
        } upgrade: { _ in
            .refuse(.json(status, #"{"error":"no"}"#))
        } _: { server, port in
            let client = try TestClient(port: port)
            // The connection lives on, so a client can try again on it.
            for _ in 0..<2 {
                let response = try client.request(TestClient.upgrade())
                #expect(response.status == status)
                #expect(response.text == #"{"error":"no"}"#)
                #expect(response.headers["content-type"]?.hasPrefix("application/json") == true)
            }
            #expect(server.seen.withLock { $0.opened } == 0)
        }
    }

    @Test func malformedHandshakesAreAnsweredAsHTTP() async throws {
        try await TestServer.run { server, port in
            func answer(_ change: (String) -> String) throws -> TestClient.Response {
                try TestClient(port: port).request(change(TestClient.upgrade()))
            }
            func replacing(_ text: String, with other: String) -> (String) -> String {
                { request in
                    let parts = request.split(separator: text, maxSplits: 1, omittingEmptySubsequences: false)
                    return parts.joined(separator: other)
                }
            }
            let version = try answer(replacing("Version: 13", with: "Version: 8"))
            #expect(version.status == 426)
            #expect(version.headers["sec-websocket-version"] == "13")
            #expect(try answer(replacing("dGhlIHNhbXBsZSBub25jZQ==", with: "short")).status == 400)
            #expect(try answer(replacing("Sec-WebSocket-Key", with: "X-Key")).status == 400)
            #expect(
                try answer(replacing("Host: localhost", with: "Content-Length: 2\r\nHost: localhost")).status == 400)
            // These are ordinary requests: they do not ask for a WebSocket.
            #expect(try answer(replacing("keep-alive, Upgrade", with: "keep-alive")).status == 200)
            #expect(try answer(replacing("GET", with: "POST")).status == 200)
            #expect(try answer(replacing("Upgrade: websocket", with: "Upgrade: h2c")).status == 200)
            #expect(server.seen.withLock { $0.opened } == 0)
        }
    }

    @Test func fragmentsPingsAndCloses() async throws {
        try await TestServer.run { server, port in
            let client = try TestClient.socket(port: port)
            try client.send(TestClient.frame(1, Array("frag".utf8), fin: false))
            try client.send(TestClient.frame(9, Array("are you there".utf8)))
            try client.send(TestClient.frame(0, Array("mented".utf8)))
            #expect(try client.readFrame() == .init(opcode: 10, payload: Array("are you there".utf8)))
            #expect(try client.readFrame().text == "fragmented")
            try client.send(TestClient.frame(8, [0x0f, 0xa1] + Array("done".utf8)) + TestClient.frame(1, [65]))
            #expect(try client.readFrame().closeCode == 4001)
            #expect(client.isAtEnd())
            #expect(await server.eventually { $0.closed == 1 })
            // Nothing is delivered after the close frame.
            #expect(server.seen.withLock { $0.messages.count } == 1)
        }
    }

    @Test(
        arguments: [
            (TestClient.frame(1, [65], masked: false), 1002), (TestClient.frame(1, [65], reserved: 0x40), 1002),
            (TestClient.frame(5, []), 1002), (TestClient.frame(0, []), 1002),
            (TestClient.frame(9, [], fin: false), 1002),
            (TestClient.frame(8, [3]), 1002), (TestClient.frame(8, [0, 1]), 1002), (TestClient.frame(1, [0xff]), 1007),
            (TestClient.frame(2, [UInt8](repeating: 0, count: 1001)), 1009),
            ([0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4], 1009),
            ((0..<12).flatMap { TestClient.frame($0 == 0 ? 1 : 0, [65], fin: false) }, 1009),
        ] as [([UInt8], UInt16)])
    func violationsCloseWithTheirCode(bytes: [UInt8], code: UInt16) async throws {
        try await TestServer.run {
            $0.maxMessageBytes = 1000
            $0.maxFragments = 10
        } _: { server, port in
            let bystander = try TestClient.socket(port: port)
            let client = try TestClient.socket(port: port)
            try client.send(bytes)
            #expect(try client.readFrame().closeCode == code)
            #expect(client.isAtEnd())
            #expect(await server.eventually { $0.closed == 1 })
            try bystander.send(TestClient.frame(1, [65]))
            #expect(try bystander.readFrame().text == "A")
        }
    }

    @Test func serverClosesAfterWhatItSent() async throws {
        try await TestServer.run { _ in
        } received: { socket, _ in
            for number in 0..<100 { socket.send(Frame(text: Array("\(number)".utf8))) }
            socket.close(code: 1012, reason: "restart")
            socket.send(Frame(text: Array("late".utf8)))
            socket.close(code: 1000, reason: "second")
        } _: { server, port in
            let client = try TestClient.socket(port: port)
            try client.send(TestClient.frame(1, [65]) + TestClient.frame(1, [66]))
            for number in 0..<100 { #expect(try client.readFrame().text == "\(number)") }
            let close = try client.readFrame()
            #expect(close.closeCode == 1012)
            #expect(String(decoding: close.payload.dropFirst(2), as: UTF8.self) == "restart")
            #expect(client.isAtEnd())
            #expect(await server.eventually { $0.closed == 1 })
            #expect(server.seen.withLock { $0.messages.count } == 1)
            let socket = server.seen.withLock { $0.sockets[0] }
            #expect(server.onLoop { !socket.isOpen && socket.context == nil && socket.queuedBytes == 0 })
        }
    }

    @Test func resetsAreNoticed() async throws {
        try await TestServer.run { server, port in
            for _ in 0..<20 { try TestClient.socket(port: port).reset() }
            #expect(await server.eventually { $0.opened == 20 && $0.closed == 20 })
        }
    }
}
