import Glibc
import Support
import Testing

@testable import WebServer

@Suite(.timeLimit(.minutes(1)))
struct FanOutTests {
    @Test func everySubscriberGetsEverythingInOrder() async throws {
        try await TestServer.run { server, port in
            let clients = try (0..<200).map { _ in try TestClient.socket(port: port) }
            #expect(await server.eventually { $0.opened == 200 })
            let sockets = server.seen.withLock { $0.sockets }
            // Four publishers at once; each one's messages stay in order.
            await withTaskGroup { group in
                for publisher in 0..<4 {
                    group.addTask {
                        for number in 0..<50 {
                            let frame = Frame(text: Array("\(publisher):\(number)".utf8))
                            server.server.loop.execute { for socket in sockets { socket.send(frame) } }
                        }
                    }
                }
            }
            var first: [String] = []
            for (index, client) in clients.enumerated() {
                let texts = try (0..<200).map { _ in try client.readFrame().text }
                if index == 0 { first = texts }
                #expect(texts == first)
            }
            for publisher in 0..<4 {
                let own = first.filter { $0.hasPrefix("\(publisher):") }
                #expect(own == (0..<50).map { "\(publisher):\($0)" })
            }
        }
    }

    @Test func aSlowConsumerIsClosedAndSlowsNobody() async throws {
        try await TestServer.run {
            $0.maxQueuedBytes = 300_000
        } _: { server, port in
            let slow = try TestClient.socket(port: port, receiveBuffer: 4096)
            let fast = try TestClient.socket(port: port)
            #expect(await server.eventually { $0.opened == 2 })
            let sockets = server.seen.withLock { $0.sockets }
            let payload = [UInt8](repeating: 65, count: 10_000)
            var received = 0
            for number in 0..<2000 {
                let frame = Frame(text: Array("\(number):".utf8) + payload)
                server.onLoop { for socket in sockets { socket.send(frame) } }
                // The fast one reads along; the slow one reads nothing.
                let text = try fast.readFrame().text
                #expect(text.hasPrefix("\(number):"))
                received += 1
                if server.seen.withLock({ $0.closed }) == 1, number > 100 { break }
            }
            #expect(await server.eventually { $0.closed == 1 })
            #expect(received < 2000)
            // What waited is gone at once; a frame that had begun to leave may remain.
            #expect(server.onLoop { sockets[0].queuedBytes } == 0)
            #expect(server.onLoop { sockets[1].isOpen })
            // The stream of the slow one is whole frames to the end, and says why it ends.
            var number = 0
            while true {
                let frame = try slow.readFrame()
                if frame.opcode == 8 {
                    #expect(frame.closeCode == 1013)
                    break
                }
                #expect(frame.text.hasPrefix("\(number):"))
                number += 1
            }
            try fast.send(TestClient.frame(1, [66]))
            #expect(try fast.readFrame().text == "B")
        }
    }

    @Test func aBlockedPeerThatKeepsSendingDoesNotSpinTheLoop() async throws {
        let count = 20
        try await TestServer.run {
            $0.maxQueuedBytes = 1 << 30
        } _: { server, port in
            let slow = try TestClient.socket(port: port, receiveBuffer: 4096)
            #expect(await server.eventually { $0.opened == 1 })
            let socket = server.seen.withLock { $0.sockets[0] }
            try slow.shrinkServerBuffer()
            let frame = Frame(binary: [UInt8](repeating: 1, count: 100_000))
            server.onLoop { for _ in 0..<count { socket.send(frame) } }
            try slow.send(TestClient.frame(1, [65]))
            // Its message waits unread while output is blocked; the loop must sleep meanwhile.
            let before = server.onLoop { threadCPUMilliseconds() }
            try await Task.sleep(for: .milliseconds(400))
            let spent = server.onLoop { threadCPUMilliseconds() } - before
            #expect(spent < 200)
            #expect(server.seen.withLock { $0.messages.isEmpty })
            for _ in 0..<count { #expect(try slow.readFrame().payload.count == 100_000) }
            #expect(try slow.readFrame().text == "A")
        }
    }
}
