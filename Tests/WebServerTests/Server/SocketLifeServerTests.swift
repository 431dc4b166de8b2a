import Glibc
import Testing

@testable import WebServer

/// Pings, silence and floods, with real sockets.
@Suite(.timeLimit(.minutes(1)))
struct SocketLifeServerTests {
    @Test func silentSocketsAreEndedAndPongsAreLife() async throws {
        try await TestServer.run {
            $0.pingInterval = .milliseconds(100)
            $0.idleTimeout = .milliseconds(300)
        } _: { server, port in
            // Vanished: it is connected, and nothing comes from it any more, no FIN and no pong.
            let vanished = try TestClient.socket(port: port)
            let half = try TestClient.socket(port: port)
            try half.send([0x81])
            let throttled = try TestClient.socket(port: port)
            var pings = 0
            while pings < 12 {
                let frame = try throttled.readFrame()
                #expect(frame == .init(opcode: 9, payload: []))
                try throttled.send(TestClient.frame(10, frame.payload))
                pings += 1
            }
            for silent in [vanished, half] {
                var frame = try silent.readFrame()
                var pings = 0
                while frame.opcode == 9 {
                    pings += 1
                    frame = try silent.readFrame()
                }
                #expect((1...3).contains(pings))
                #expect(frame.closeCode == 1001)
                #expect(silent.isAtEnd())
            }
            // Neither peer answers the close: the server lets go of them by itself.
            #expect(await server.eventually { $0.closed == 2 })
            for _ in 0..<200 where server.onLoop({ server.server.connectionCount }) > 1 {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(server.onLoop { server.server.connectionCount } == 1)
        }
    }

    @Test func controlFramesAndFragmentsHaveABudget() async throws {
        try await TestServer.run { server, port in
            let burst = Int(FrameBudget.burst)
            let bystander = try TestClient.socket(port: port)
            // A message of as many fragments as are allowed, and a burst of pings, are fine.
            let polite = try TestClient.socket(port: port)
            let fragments = (0..<1024).flatMap { TestClient.frame($0 == 0 ? 2 : 0, [65], fin: $0 == 1023) }
            try polite.send(fragments)
            #expect(try polite.readFrame().payload.count == 1024)
            for n in 0..<100 { try polite.send(TestClient.frame(9, [UInt8(n)])) }
            for n in 0..<100 { #expect(try polite.readFrame() == .init(opcode: 10, payload: [UInt8(n)])) }
            for flood in [
                (0..<burst * 2).flatMap { _ in TestClient.frame(9, []) },
                (0..<burst * 2).flatMap { _ in TestClient.frame(10, []) },
                fragments + fragments + fragments + fragments,
            ] {
                let client = try TestClient.socket(port: port)
                try client.send(flood)
                var frame = try client.readFrame()
                while frame.opcode != 8 { frame = try client.readFrame() }
                #expect(frame.closeCode == 1008)
            }
            try bystander.send(TestClient.frame(1, [65]))
            #expect(try bystander.readFrame().text == "A")
            #expect(await server.eventually { $0.closed == 3 })
        }
    }
}
