import Testing

@testable import WebServer

struct SendQueueTests {
    private func drain(_ queue: inout SendQueue, _ size: Int) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: size)
        let count = buffer.withUnsafeMutableBytes { queue.fill($0) }
        return Array(buffer[..<count])
    }

    @Test(arguments: [1, 3, 7, 10, 1000])
    func joinsFramesInOrder(size: Int) {
        var queue = SendQueue()
        var expected: [UInt8] = []
        var received: [UInt8] = []
        for round in 0..<300 {
            let bytes = (0..<(round % 9)).map { UInt8(truncatingIfNeeded: round + $0) }
            queue.append(Frame(verbatim: bytes))
            expected += bytes
            if round % 3 == 0 { received += self.drain(&queue, size) }
            #expect(queue.bytes == expected.count - received.count)
        }
        while !queue.isEmpty { received += self.drain(&queue, size) }
        #expect(received == expected)
    }

    @Test func dropsOnlyWhatHasNotBegunToLeave() {
        var queue = SendQueue()
        queue.append(Frame(verbatim: [1, 2, 3]))
        queue.append(Frame(verbatim: [4, 5]))
        #expect(self.drain(&queue, 1) == [1])
        queue.dropUnstarted()
        #expect(queue.bytes == 2)
        queue.append(Frame(verbatim: [9]))
        #expect(self.drain(&queue, 100) == [2, 3, 9])

        queue.append(Frame(verbatim: [1]))
        queue.dropUnstarted()
        #expect(queue.isEmpty)
        #expect(self.drain(&queue, 100) == [])
    }

    /// A frame counts from its first queue to its last, however its sockets end.
    @Test func sharedFramesCountOnce() {
        let frame = Frame(verbatim: [UInt8](repeating: 1, count: 1000))
        let other = Frame(verbatim: [2])
        var queues = (0..<4).map { _ in SendQueue() }
        for index in queues.indices {
            queues[index].append(frame)
            queues[index].append(other)
        }
        var held = queues.indices.reduce(0) { $0 + queues[$1].settle() }
        #expect(held == frame.cost + other.cost)
        _ = self.drain(&queues[0], 5000)
        queues[1].dropAll()
        queues[2].dropUnstarted()
        held += queues.indices.reduce(0) { $0 + queues[$1].settle() }
        #expect(held == frame.cost + other.cost)
        _ = self.drain(&queues[3], 10)
        // Begun: it stays, and what follows goes.
        queues[3].dropUnstarted()
        held += queues[3].settle()
        #expect(held == frame.cost)
        _ = self.drain(&queues[3], 5000)
        held += queues[3].settle()
        #expect(held == 0)
    }

    @Test func encodesFrames() {
        #expect(Frame(text: Array("Hello".utf8)).bytes == [0x81, 5] + Array("Hello".utf8))
        #expect(Frame(binary: []).bytes == [0x82, 0])
        #expect(Frame(binary: [UInt8](repeating: 7, count: 126)).bytes.prefix(4) == [0x82, 126, 0, 126])
        #expect(
            Frame(binary: [UInt8](repeating: 7, count: 65536)).bytes.prefix(10) == [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0])
        #expect(Frame(closeCode: nil, reason: "").bytes == [0x88, 0])
        #expect(Frame(closeCode: 1013, reason: "x").bytes == [0x88, 3, 0x03, 0xf5, 120])
        // A reason too long is cut between characters.
        let long = Frame(closeCode: 1000, reason: String(repeating: "é", count: 100)).bytes
        #expect(long.count == 2 + 124)
        #expect(long[1] == 124)
    }
}
