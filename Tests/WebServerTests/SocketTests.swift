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
                    headers: ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]))
            #expect(response.status == 101)
            // The worked example of RFC 6455, 1.3.
            #expect(response.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            #expect(response.headers["sec-websocket-protocol"] == nil)
            #expect(response.headers["sec-websocket-extensions"] == nil)
            try client.send(TestClient.frame(1, Array("hello".utf8)))
            #expect(try client.readFrame() == .init(opcode: 1, payload: Array("hello".utf8)))
            try client.send(TestClient.frame(2, [0, 255, 1]))
            #expect(try client.readFrame() == .init(opcode: 2, payload: [0, 255, 1]))
            #expect(server.seen.withLock { $0.requests[0].queryValue("vsn") } == "1.0.0")
        }
    }
}
