import Glibc

/// Nothing more came within the time allowed, or the connection ended too early.
struct ClientError: Error, CustomStringConvertible {
    let description: String
}

/// A blocking TCP client that sends exactly the bytes it is told to, with a receive timeout of three seconds.
final class TestClient {
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        self.descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(self.descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var timeout = timeval(tv_sec: 3, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(self.descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var one: Int32 = 1
        setsockopt(self.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
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
    }

    deinit { Glibc.close(self.descriptor) }

    // MARK: - Bytes

    func send(_ text: String) throws { try self.send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    self.descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw ClientError(description: "send: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    /// Closes the sending half.
    func shutdownSending() { shutdown(self.descriptor, Int32(SHUT_WR)) }

    /// Closes with a reset.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        shutdown(self.descriptor, Int32(SHUT_RDWR))
    }

    /// Fixes the send buffer of the server's end to a few kilobytes, so that it fills at once.
    func shrinkServerBuffer() throws {
        var size: Int32 = 4096
        setsockopt(try self.serverEnd(), SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    /// A socket option of the server's end.
    func serverOption(_ level: Int32, _ option: Int32) throws -> Int32 {
        var value: Int32 = -1
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(try self.serverEnd(), level, option, &value, &length)
        return value
    }

    /// The server's end of this connection, which is in this process.
    private func serverEnd() throws -> Int32 {
        var own = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &own) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(self.descriptor, $0, &length) }
        }
        for candidate: Int32 in 3..<4096 {
            var peer = sockaddr_in()
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(candidate, $0, &length) }
            }
            if result == 0, peer.sin_port == own.sin_port { return candidate }
        }
        throw ClientError(description: "the server's end was not found")
    }

    private func fill() throws {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = recv(self.descriptor, &chunk, chunk.count, 0)
        if count == 0 { throw ClientError(description: "end of stream") }
        guard count > 0 else { throw ClientError(description: "recv: \(String(cString: strerror(errno)))") }
        self.buffer += chunk[..<count]
    }

    func read(_ count: Int) throws -> [UInt8] {
        while self.buffer.count < count { try self.fill() }
        defer { self.buffer.removeFirst(count) }
        return Array(self.buffer[..<count])
    }

    /// True when the peer ends the stream, with nothing before the end.
    func isAtEnd() -> Bool {
        guard self.buffer.isEmpty else { return false }
        do {
            try self.fill()
            return false
        } catch let error as ClientError {
            return error.description == "end of stream" || error.description.contains("reset")
        } catch {
            return false
        }
    }

    // MARK: - HTTP

    struct Response {
        var status = 0
        var headers: [String: String] = [:]
        var body: [UInt8] = []
        var text: String { String(decoding: self.body, as: UTF8.self) }
    }

    /// - Parameter bodyless: the request was HEAD.
    func readResponse(bodyless: Bool = false) throws -> Response {
        var head: [UInt8] = []
        while !head.suffix(4).elementsEqual([13, 10, 13, 10]) { head += try self.read(1) }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        var response = Response()
        let parts = lines[0].split(separator: " ")
        guard parts.count >= 2, let status = Int(parts[1]) else { throw ClientError(description: "not a status line") }
        response.status = status
        for line in lines.dropFirst() {
            let name = line.prefix { $0 != ":" }
            let value = line.dropFirst(name.count + 1).drop { $0 == " " }
            response.headers[name.lowercased()] = String(value)
        }
        if !bodyless, let length = response.headers["content-length"].flatMap({ Int($0) }) {
            response.body = try self.read(length)
        }
        return response
    }

    func request(_ text: String) throws -> Response {
        try self.send(text)
        return try self.readResponse()
    }

    static func get(_ path: String, headers: [String] = []) -> String {
        (["GET \(path) HTTP/1.1", "Host: localhost"] + headers).map { $0 + "\r\n" }.joined() + "\r\n"
    }

    // MARK: - WebSocket

    static func upgrade(_ path: String = "/socket", headers: [String] = []) -> String {
        get(
            path,
            headers: [
                "Upgrade: websocket", "Connection: keep-alive, Upgrade", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ] + headers)
    }

    /// Opens a WebSocket.
    static func socket(port: Int, receiveBuffer: Int32? = nil) throws -> TestClient {
        let client = try TestClient(port: port, receiveBuffer: receiveBuffer)
        let response = try client.request(upgrade())
        guard response.status == 101 else { throw ClientError(description: "status \(response.status)") }
        return client
    }

    /// A client frame with the mask 01 02 03 04.
    static func frame(
        _ opcode: UInt8, _ payload: [UInt8], fin: Bool = true, masked: Bool = true, reserved: UInt8 = 0
    ) -> [UInt8] {
        var bytes = [(fin ? 0x80 : 0) | reserved | opcode]
        let bit: UInt8 = masked ? 0x80 : 0
        switch payload.count {
        case ..<126: bytes.append(bit | UInt8(payload.count))
        case ..<65536: bytes += [bit | 126, UInt8(payload.count >> 8), UInt8(truncatingIfNeeded: payload.count)]
        default:
            bytes.append(bit | 127)
            bytes += (0..<8).reversed().map { UInt8(truncatingIfNeeded: payload.count >> ($0 * 8)) }
        }
        guard masked else { return bytes + payload }
        let mask: [UInt8] = [1, 2, 3, 4]
        return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
    }

    struct Received: Equatable {
        var opcode: UInt8
        var payload: [UInt8]
        var text: String { String(decoding: self.payload, as: UTF8.self) }
        var closeCode: UInt16? {
            guard self.opcode == 8, self.payload.count >= 2 else { return nil }
            return UInt16(self.payload[0]) << 8 | UInt16(self.payload[1])
        }
    }

    func readFrame() throws -> Received {
        let start = try self.read(2)
        guard start[0] & 0x80 != 0, start[1] & 0x80 == 0 else {
            throw ClientError(description: "a fragment or masked frame from the server")
        }
        var length = Int(start[1])
        if length == 126 { length = try self.read(2).reduce(0) { $0 << 8 | Int($1) } }
        if length == 127 { length = try self.read(8).reduce(0) { $0 << 8 | Int($1) } }
        return Received(opcode: start[0] & 0x0f, payload: try self.read(length))
    }
}
