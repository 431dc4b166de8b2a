internal import CWebSockets

/// The server's half of the opening handshake (RFC 6455, 4.2). Subprotocols and extensions are never taken up.
enum Handshake {
    /// The key to answer, or the response that refuses a malformed request.
    static func key(of head: RequestHead) throws(HTTPFailure) -> String {
        guard head.headers["sec-websocket-version"] == "13" else {
            throw HTTPFailure(426, "Only version 13 of the WebSocket protocol is spoken here.")
        }
        // 16 bytes in base64 are 24 characters, the last two of them padding.
        guard let key = head.headers["sec-websocket-key"], key.utf8.count == 24, key.hasSuffix("=="),
            key.utf8.dropLast(2).allSatisfy(isBase64)
        else { throw HTTPFailure(400, "Sec-WebSocket-Key is missing or not 16 bytes in base64.") }
        guard head.framing == .none else { throw HTTPFailure(400, "An upgrade request must not have a body.") }
        return key
    }

    /// The complete 101 response.
    static func response(key: String) -> [UInt8] {
        Array(
            """
            HTTP/1.1 101 Switching Protocols\r
            upgrade: websocket\r
            connection: Upgrade\r
            sec-websocket-accept: \(accept(key))\r
            \r

            """.utf8)
    }

    static func accept(_ key: String) -> String {
        let input = Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        var digest = [UInt8](repeating: 0, count: 20)
        lws_SHA1(input, input.count, &digest)
        var text = [CChar](repeating: 0, count: 40)
        let count = digest.withUnsafeBytes { bytes in
            lws_b64_encode_string(
                bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count), &text, Int32(text.count))
        }
        return String(decoding: text.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func isBase64(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
