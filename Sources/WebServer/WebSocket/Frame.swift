internal import Synchronization

/// A finished WebSocket frame, encoded once and shared by every socket it is sent to.
///
/// A server's frames are not masked (RFC 6455, 5.1), so the same bytes serve all receivers.
///
/// All its sockets must be of one server, which counts its bytes once while it waits for any of them.
public final class Frame: Sendable {
    /// Memory of a frame beside its bytes.
    static let overhead = 64

    let bytes: [UInt8]
    /// Queues that it waits in. Changed on the loop only.
    let waiting = Atomic<Int>(0)

    /// What it holds while it waits.
    var cost: Int { self.bytes.count + Self.overhead }

    /// A text message in one frame. `text` must be valid UTF-8; the client fails the connection otherwise.
    public convenience init(text: [UInt8]) { self.init(opcode: .text, payload: text) }

    /// A binary message in one frame.
    public convenience init(binary: [UInt8]) { self.init(opcode: .binary, payload: binary) }

    init(opcode: FrameOpcode, payload: some Collection<UInt8>) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(payload.count + 10)
        bytes.append(0x80 | opcode.rawValue)
        switch payload.count {
        case ..<126: bytes.append(UInt8(payload.count))
        case ..<65536:
            bytes.append(126)
            bytes.append(UInt8(truncatingIfNeeded: payload.count >> 8))
            bytes.append(UInt8(truncatingIfNeeded: payload.count))
        default:
            bytes.append(127)
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: payload.count >> shift))
            }
        }
        bytes.append(contentsOf: payload)
        self.bytes = bytes
    }

    /// A close frame; the reason is cut to what a control frame holds. No code: an empty one.
    convenience init(closeCode code: UInt16?, reason: String) {
        var payload: [UInt8] = []
        if let code {
            payload = [UInt8(code >> 8), UInt8(truncatingIfNeeded: code)]
            for scalar in reason.unicodeScalars {
                guard payload.count + UTF8.width(scalar) <= 125 else { break }
                payload += Array(String(scalar).utf8)
            }
        }
        self.init(opcode: .close, payload: payload)
    }

    /// Bytes that are no frame: a response or a part of one, for the same queue.
    init(verbatim bytes: [UInt8]) { self.bytes = bytes }
}

/// The frame types of RFC 6455, 5.2.
enum FrameOpcode: UInt8 {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    var isControl: Bool { self.rawValue >= 8 }
}
