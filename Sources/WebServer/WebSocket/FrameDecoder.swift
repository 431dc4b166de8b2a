/// Takes a client's byte stream apart into messages and control frames (RFC 6455, 5), and enforces every limit before
/// memory is spent on it. No I/O and no clock.
struct FrameDecoder {
    /// Why the connection must be closed.
    struct Failure: Error, Equatable {
        var code: UInt16
        var reason: String

        init(_ code: UInt16, _ reason: String) {
            self.code = code
            self.reason = reason
        }
    }

    enum Event: Equatable {
        case message(SocketMessage)
        case ping([UInt8])
        case pong
        /// The peer closes; nil when its frame had no code.
        case close(UInt16?)
        case failure(Failure)
    }

    private let maxMessageBytes: Int
    private let maxFragments: Int

    /// The frame header read so far: two bytes, up to eight of length, four of mask.
    private var header: (UInt64, UInt64) = (0, 0)
    private var headerCount: UInt8 = 0
    private var headerNeeded: UInt8 = 2

    /// The frame whose payload is being read.
    private var opcode = FrameOpcode.continuation
    private var isFinal = false
    private var mask: UInt32 = 0
    private var maskPhase: UInt8 = 0
    private var isInPayload = false
    private var remaining = 0

    /// The message being put together: its type, nil between messages, its fragments and bytes.
    private var messageOpcode: FrameOpcode?
    private var fragments = 0
    private var message: [UInt8] = []
    private var control: [UInt8] = []

    /// Bytes of the unfinished message.
    var heldBytes: Int { self.message.count + self.control.count }
    /// Frames so far that brought no message: control frames, and continuations.
    private(set) var overhead = 0

    init(maxMessageBytes: Int, maxFragments: Int) {
        self.maxMessageBytes = maxMessageBytes
        self.maxFragments = maxFragments
    }

    /// Consumes `input` from `index`, moving it on.
    /// - Returns: the next event, or nil when the input is used up. Nothing may be read after a close or failure.
    mutating func read(_ input: UnsafeRawBufferPointer, _ index: inout Int) -> Event? {
        do throws(Failure) {
            while index < input.count || (self.isInPayload && self.remaining == 0) {
                if self.isInPayload {
                    if let event = try self.readPayload(input, &index) { return event }
                } else {
                    try self.readHeader(input, &index)
                }
            }
            return nil
        } catch {
            return .failure(error)
        }
    }

    // MARK: - Header

    private mutating func readHeader(_ input: UnsafeRawBufferPointer, _ index: inout Int) throws(Failure) {
        while self.headerCount < self.headerNeeded, index < input.count {
            self.setHeader(input[index])
            index += 1
            if self.headerCount == 2 { try self.checkStart() }
        }
        guard self.headerCount == self.headerNeeded, self.headerNeeded > 2 else { return }
        try self.finishHeader()
    }

    private mutating func setHeader(_ byte: UInt8) {
        withUnsafeMutableBytes(of: &self.header) { $0[Int(self.headerCount)] = byte }
        self.headerCount += 1
    }

    private func headerByte(_ index: Int) -> UInt8 { withUnsafeBytes(of: self.header) { $0[index] } }

    /// The first two bytes tell all that can be wrong with a frame but its length.
    private mutating func checkStart() throws(Failure) {
        let first = self.headerByte(0)
        let second = self.headerByte(1)
        if first & 0x0f == 0 || first & 0x08 != 0 { self.overhead += 1 }
        guard first & 0x70 == 0 else { throw Failure(1002, "reserved bits are set") }
        guard let opcode = FrameOpcode(rawValue: first & 0x0f) else { throw Failure(1002, "unknown opcode") }
        guard second & 0x80 != 0 else { throw Failure(1002, "client frames must be masked") }
        let length = second & 0x7f
        self.opcode = opcode
        self.isFinal = first & 0x80 != 0
        if opcode.isControl {
            guard self.isFinal else { throw Failure(1002, "control frames must not be fragmented") }
            guard length <= 125 else { throw Failure(1002, "control frames must not exceed 125 bytes") }
        } else if opcode == .continuation {
            guard self.messageOpcode != nil else { throw Failure(1002, "nothing to continue") }
        } else {
            guard self.messageOpcode == nil else { throw Failure(1002, "the message before is not finished") }
        }
        self.headerNeeded = length == 127 ? 14 : length == 126 ? 8 : 6
    }

    private mutating func finishHeader() throws(Failure) {
        var length = 0
        switch self.headerNeeded {
        case 6: length = Int(self.headerByte(1) & 0x7f)
        case 8:
            length = Int(self.headerByte(2)) << 8 | Int(self.headerByte(3))
            guard length >= 126 else { throw Failure(1002, "the length is not in its shortest form") }
        default:
            guard self.headerByte(2) & 0x80 == 0 else { throw Failure(1002, "the length is out of range") }
            for index in 2..<10 { length = length << 8 | Int(self.headerByte(index)) }
            guard length >= 65536 else { throw Failure(1002, "the length is not in its shortest form") }
        }
        if !self.opcode.isControl {
            guard length <= self.maxMessageBytes, self.message.count + length <= self.maxMessageBytes else {
                throw Failure(1009, "the message is larger than \(self.maxMessageBytes) bytes")
            }
            self.fragments += 1
            guard self.fragments <= self.maxFragments else {
                throw Failure(1009, "the message has more than \(self.maxFragments) fragments")
            }
            if self.opcode != .continuation { self.messageOpcode = self.opcode }
        }
        let at = Int(self.headerNeeded) - 4
        self.mask = withUnsafeBytes(of: self.header) { $0.loadUnaligned(fromByteOffset: at, as: UInt32.self) }
        self.maskPhase = 0
        self.remaining = length
        self.isInPayload = true
        self.headerCount = 0
        self.headerNeeded = 2
    }

    // MARK: - Payload

    private mutating func readPayload(
        _ input: UnsafeRawBufferPointer, _ index: inout Int
    ) throws(Failure) -> Event? {
        let count = min(self.remaining, input.count - index)
        if count > 0 {
            let part = UnsafeRawBufferPointer(rebasing: input[index..<index + count])
            if self.opcode.isControl {
                Self.unmask(part, self.mask, self.maskPhase, onto: &self.control)
            } else {
                Self.unmask(part, self.mask, self.maskPhase, onto: &self.message)
            }
            self.maskPhase = UInt8((Int(self.maskPhase) + count) & 3)
            self.remaining -= count
            index += count
        }
        guard self.remaining == 0 else { return nil }
        self.isInPayload = false
        if self.opcode.isControl { return try self.finishControl() }
        guard self.isFinal, let opcode = self.messageOpcode else { return nil }
        let message = self.message
        self.message = []
        self.messageOpcode = nil
        self.fragments = 0
        guard opcode == .text else { return .message(.binary(message)) }
        guard UTF8Check.isValid(message) else { throw Failure(1007, "the text is not valid UTF-8") }
        return .message(.text(message))
    }

    private mutating func finishControl() throws(Failure) -> Event {
        let payload = self.control
        self.control = []
        switch self.opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong
        default:
            guard payload.count != 1 else { throw Failure(1002, "a close frame of one byte") }
            guard payload.count >= 2 else { return .close(nil) }
            let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
            guard Self.isUsable(code) else { throw Failure(1002, "a close code that must not be sent") }
            guard UTF8Check.isValid(Array(payload[2...])) else {
                throw Failure(1007, "the close reason is not valid UTF-8")
            }
            return .close(code)
        }
    }

    /// The codes that an endpoint may send (RFC 6455, 7.4, and the registry).
    static func isUsable(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    /// Appends `part` to `target`, unmasked, eight bytes at a time.
    private static func unmask(
        _ part: UnsafeRawBufferPointer, _ mask: UInt32, _ phase: UInt8, onto target: inout [UInt8]
    ) {
        let turn = UInt32(phase) * 8
        // The mask as the little-endian word that begins at this phase.
        let little = UInt32(littleEndian: mask)
        let word = turn == 0 ? little : little >> turn | little << (32 - turn)
        let wide = UInt64(word) << 32 | UInt64(word)
        let start = target.count
        target.append(contentsOf: part)
        target.withUnsafeMutableBytes { bytes in
            var at = start
            while at + 8 <= bytes.count {
                let value = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) ^ wide
                bytes.storeBytes(of: value.littleEndian, toByteOffset: at, as: UInt64.self)
                at += 8
            }
            var shift: UInt64 = 0
            while at < bytes.count {
                bytes[at] ^= UInt8(truncatingIfNeeded: wide >> shift)
                shift += 8
                at += 1
            }
        }
    }
}

/// Validation without building a string.
enum UTF8Check {
    static func isValid(_ bytes: [UInt8]) -> Bool { (try? UTF8Span(validating: bytes.span)) != nil }
}
