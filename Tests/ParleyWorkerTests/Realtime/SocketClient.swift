import FoundationEssentials
import Glibc
import ParleyCore

struct ClientError: Error, CustomStringConvertible {
    let description: String
}

/// A blocking WebSocket and HTTP client with a receive timeout, for what a stock client would hide.
final class SocketClient {
    enum Frame: Equatable {
        case text(String)
        case binary([UInt8])
        case close(UInt16)
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []

    init(port: Int) throws {
        self.descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(self.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            Glibc.close(self.descriptor)
            throw ClientError(description: "connect: \(String(cString: strerror(errno)))")
        }
        self.setTimeout(milliseconds: 5000)
    }

    deinit { Glibc.close(self.descriptor) }

    /// Opens a WebSocket; throws the status and body of a refusal.
    convenience init(port: Int, key: String, version: SerializerVersion) throws {
        try self.init(port: port)
        let response = try self.http(
            "GET", "/realtime/v1/websocket?apikey=\(key)&vsn=\(version.rawValue)",
            headers: [
                "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ])
        guard response.status == 101 else {
            throw ClientError(description: "\(response.status) \(response.body)")
        }
    }

    private func setTimeout(milliseconds: Int) {
        var timeout = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    // MARK: HTTP

    func http(
        _ method: String, _ target: String, headers: [String] = [], body: [UInt8] = []
    ) throws -> (status: Int, body: String) {
        var lines = ["\(method) \(target) HTTP/1.1", "Host: localhost"] + headers
        if !body.isEmpty || method == "POST" { lines.append("Content-Length: \(body.count)") }
        try self.write([UInt8]((lines.map { $0 + "\r\n" }.joined() + "\r\n").utf8) + body)
        var head: [UInt8] = []
        while !head.suffix(4).elementsEqual([13, 10, 13, 10]) { head += try self.read(1) }
        let text = String(decoding: head, as: UTF8.self)
        guard let status = Int(text.split(separator: " ").dropFirst().first ?? "") else {
            throw ClientError(description: "no status line")
        }
        var length = 0
        for line in text.split(separator: "\r\n") where line.lowercased().hasPrefix("content-length:") {
            length = Int(line.dropFirst(15).filter { $0 != " " }) ?? 0
        }
        return (status, String(decoding: try self.read(length), as: UTF8.self))
    }

    // MARK: Frames

    func send(_ text: String) throws { try self.send(opcode: 1, [UInt8](text.utf8)) }

    func send(opcode: UInt8, _ payload: [UInt8]) throws {
        var bytes: [UInt8] = [0x80 | opcode]
        switch payload.count {
        case ..<126: bytes.append(0x80 | UInt8(payload.count))
        case ..<65536: bytes += [0x80 | 126, UInt8(payload.count >> 8), UInt8(truncatingIfNeeded: payload.count)]
        default: throw ClientError(description: "too long for this client")
        }
        // A mask of zeros leaves the payload as it is.
        try self.write(bytes + [0, 0, 0, 0] + payload)
    }

    func next() throws -> Frame {
        let start = try self.read(2)
        var length = Int(start[1])
        if length == 126 { length = try self.read(2).reduce(0) { $0 << 8 | Int($1) } }
        if length == 127 { length = try self.read(8).reduce(0) { $0 << 8 | Int($1) } }
        let payload = try self.read(length)
        switch start[0] & 0x0f {
        case 1: return .text(String(decoding: payload, as: UTF8.self))
        case 2: return .binary(payload)
        case 8: return .close(payload.count < 2 ? 1005 : UInt16(payload[0]) << 8 | UInt16(payload[1]))
        case let opcode: throw ClientError(description: "opcode \(opcode)")
        }
    }

    func nextText() throws -> String {
        guard case .text(let text) = try self.next() else { throw ClientError(description: "not text") }
        return text
    }

    /// What still comes within a time; empty if nothing does.
    func rest(milliseconds: Int = 200) throws -> [Frame] {
        self.setTimeout(milliseconds: milliseconds)
        defer { self.setTimeout(milliseconds: 5000) }
        var frames: [Frame] = []
        while let frame = try? self.next() { frames.append(frame) }
        return frames
    }

    // MARK: Bytes

    private func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(self.descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw ClientError(description: "send: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    private func read(_ count: Int) throws -> [UInt8] {
        while self.buffer.count < count {
            var chunk = [UInt8](repeating: 0, count: 65536)
            let got = recv(self.descriptor, &chunk, chunk.count, 0)
            guard got > 0 else { throw ClientError(description: got == 0 ? "end of stream" : "nothing came") }
            self.buffer += chunk[..<got]
        }
        defer { self.buffer.removeFirst(count) }
        return Array(self.buffer[..<count])
    }
}
