import Testing

@testable import WebServer

struct FrameDecoderTests {
    /// Feeds the bytes in parts of the given size until a close or failure.
    private func decode(
        _ bytes: [UInt8], step: Int = .max, maxMessageBytes: Int = 70_000, maxFragments: Int = 8
    ) -> [FrameDecoder.Event] {
        var decoder = FrameDecoder(maxMessageBytes: maxMessageBytes, maxFragments: maxFragments)
        var events: [FrameDecoder.Event] = []
        var start = 0
        while start < bytes.count {
            let end = step == .max ? bytes.count : min(bytes.count, start + step)
            let ended = bytes[start..<end].withUnsafeBytes { input in
                var index = 0
                while let event = decoder.read(input, &index) {
                    events.append(event)
                    switch event {
                    case .close, .failure: return true
                    default: continue
                    }
                }
                #expect(index == input.count)
                return false
            }
            if ended { return events }
            start = end
        }
        return events
    }

    private func failure(_ bytes: [UInt8], maxMessageBytes: Int = 70_000) -> UInt16? {
        let events = self.decode(bytes, maxMessageBytes: maxMessageBytes)
        // However the bytes are cut, the outcome is the same.
        #expect(self.decode(bytes, step: 1, maxMessageBytes: maxMessageBytes) == events)
        guard case .failure(let failure)? = events.last else { return nil }
        return failure.code
    }

    @Test(arguments: [1, 2, 3, 5, 13, 4096, Int.max])
    func readsMessagesCutAnywhere(step: Int) {
        var bytes: [UInt8] = []
        var expected: [FrameDecoder.Event] = []
        for length in [0, 1, 3, 7, 8, 9, 124, 125, 126, 127, 128, 65535, 65536, 65537] {
            let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            bytes += TestClient.frame(2, payload)
            expected.append(.message(.binary(payload)))
        }
        // A fragmented text with a ping in the middle, cut inside a character.
        let text = Array("Grüße, 世界".utf8)
        bytes += TestClient.frame(1, Array(text[..<3]), fin: false)
        bytes += TestClient.frame(9, Array("p".utf8))
        bytes += TestClient.frame(0, [], fin: false)
        bytes += TestClient.frame(0, Array(text[3...]))
        bytes += TestClient.frame(10, Array("unasked".utf8))
        bytes += TestClient.frame(8, [0x03, 0xe8] + Array("bye".utf8))
        expected += [.ping(Array("p".utf8)), .message(.text(text)), .pong, .close(1000)]
        #expect(self.decode(bytes, step: step) == expected)
    }

    @Test func refusesFramesAgainstTheRules() {
        #expect(self.failure(TestClient.frame(1, [65], masked: false)) == 1002)
        for bits: UInt8 in [0x10, 0x20, 0x40, 0x70] {
            #expect(self.failure(TestClient.frame(1, [65], reserved: bits)) == 1002)
        }
        for opcode: UInt8 in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
            #expect(self.failure(TestClient.frame(opcode, [])) == 1002)
        }
        for opcode: UInt8 in [8, 9, 10] {
            #expect(self.failure(TestClient.frame(opcode, [], fin: false)) == 1002)
            #expect(self.failure(TestClient.frame(opcode, [UInt8](repeating: 0, count: 126))) == 1002)
        }
        // A continuation of nothing, and a message inside a message.
        #expect(self.failure(TestClient.frame(0, [])) == 1002)
        #expect(self.failure(TestClient.frame(1, [], fin: false) + TestClient.frame(1, [])) == 1002)
        #expect(self.failure(TestClient.frame(1, [65]) + TestClient.frame(0, [])) == 1002)
        // Lengths not in their shortest form, and out of range.
        #expect(self.failure([0x82, 0xfe, 0, 125, 0, 0, 0, 0]) == 1002)
        #expect(self.failure([0x82, 0xff, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0]) == 1002)
        #expect(self.failure([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) == 1002)
    }

    @Test func refusesTooMuchBeforeItArrives() {
        // The header alone is enough: 2^63 - 1 bytes are announced and none sent.
        #expect(self.failure([0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]) == 1009)
        #expect(self.failure(TestClient.frame(2, [UInt8](repeating: 0, count: 101)), maxMessageBytes: 100) == 1009)
        let half = [UInt8](repeating: 0, count: 60)
        #expect(
            self.failure(TestClient.frame(2, half, fin: false) + TestClient.frame(0, half), maxMessageBytes: 100)
                == 1009)
        #expect(self.decode(TestClient.frame(2, half), maxMessageBytes: 60) == [.message(.binary(half))])
        // Nine fragments where eight are allowed, empty ones count too.
        let start = TestClient.frame(2, [], fin: false)
        let seven = (0..<7).flatMap { _ in TestClient.frame(0, [], fin: false) }
        #expect(self.failure(start + seven + TestClient.frame(0, [])) == 1009)
        #expect(self.decode(start + seven.dropLast(6) + TestClient.frame(0, [])) == [.message(.binary([]))])
    }

    @Test(
        arguments: [
            [0xff], [0xc0, 0x80], [0xc3], [0xc3, 0x28], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80],
            [0xf8, 0x88, 0x80, 0x80, 0x80], [0x41, 0x80],
        ] as [[UInt8]])
    func refusesTextThatIsNotUTF8(bytes: [UInt8]) {
        #expect(self.failure(TestClient.frame(1, bytes)) == 1007)
        #expect(
            self.failure(
                TestClient.frame(1, Array(bytes.prefix(1)), fin: false) + TestClient.frame(0, Array(bytes.dropFirst())))
                == 1007)
        #expect(self.failure(TestClient.frame(8, [0x03, 0xe8] + bytes)) == 1007)
        #expect(self.decode(TestClient.frame(2, bytes)) == [.message(.binary(bytes))])
    }

    @Test func readsCloseCodes() {
        #expect(self.decode(TestClient.frame(8, [])) == [.close(nil)])
        #expect(self.failure(TestClient.frame(8, [3])) == 1002)
        for code: UInt16 in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
            let payload = [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)]
            #expect(self.decode(TestClient.frame(8, payload)) == [.close(code)])
        }
        for code: UInt16 in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            #expect(self.failure(TestClient.frame(8, [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)])) == 1002)
        }
    }

    @Test func keepsNothingAfterAMessage() {
        let frame = TestClient.frame(1, Array("x".utf8))
        #expect(self.decode((0..<100).flatMap { _ in frame }).count == 100)
    }
}
