import Glibc
import Support
import Testing

@testable import WebServer

/// TLS with a certificate made for the test, spoken to by the openssl command.
@Suite(.timeLimit(.minutes(1)))
struct TLSTests {
    /// Runs a shell command and returns what it printed.
    private func shell(_ command: String) throws -> String {
        guard let pipe = popen(command, "r") else { throw ClientError(description: "popen failed") }
        defer { pclose(pipe) }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&chunk, 1, chunk.count, pipe)
            guard count > 0 else { return String(decoding: output, as: UTF8.self) }
            output += chunk[..<count]
        }
    }

    @Test func servesHTTPAndSocketsOverTLS() async throws {
        let folder = try self.shell("mktemp -d").filter { !$0.isNewline }
        defer { _ = try? self.shell("rm -r \(folder)") }
        _ = try self.shell(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
                + "-keyout \(folder)/key.pem -out \(folder)/cert.pem 2>/dev/null")
        let body = String(repeating: "0123456789abcdef", count: 40_000)
        try await TestServer.run {
            $0.tls = .init(certificatePath: "\(folder)/cert.pem", keyPath: "\(folder)/key.pem")
        } handle: { _, responder in
            responder.respond(HTTPResponse(status: 200, body: Array(body.utf8)))
        } _: { server, port in
            let client =
                "openssl s_client -quiet -verify_quiet -servername localhost -CAfile \(folder)/cert.pem "
                + "-alpn h2,http/1.1 -connect 127.0.0.1:\(port) 2>/dev/null"
            let http = try self.shell(
                #"(printf 'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'; sleep 1) | "# + client)
            #expect(http.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(http.hasSuffix("\r\n\r\n" + body))

            // A handshake, a masked text frame "Hi" and a masked close frame 1000.
            let upgrade = TestClient.upgrade().split(separator: "\r\n").joined(separator: #"\r\n"#) + #"\r\n\r\n"#
            let frames = #"\201\202\001\002\003\004\111\153\210\202\001\002\003\004\002\352"#
            let socket = try self.shell("(printf '\(upgrade)'; printf '\(frames)'; sleep 1) | " + client)
            #expect(socket.hasPrefix("HTTP/1.1 101 Switching Protocols\r\n"))
            #expect(socket.contains("\r\n\r\n\u{FFFD}\u{2}Hi\u{FFFD}\u{2}\u{3}\u{FFFD}"))
            #expect(server.seen.withLock { $0.messages } == [.text(Array("Hi".utf8))])
            #expect(await server.eventually { $0.closed == 1 })

            // Plain HTTP on the TLS port is turned away, and disturbs nobody.
            let plain = try TestClient(port: port)
            try plain.send(TestClient.get("/"))
            #expect(plain.isAtEnd())
        }
        // A handshake has the time of a request's head.
        try await TestServer.run {
            $0.tls = .init(certificatePath: "\(folder)/cert.pem", keyPath: "\(folder)/key.pem")
            $0.headerTimeout = .milliseconds(100)
        } _: { _, port in
            let silent = try TestClient(port: port)
            let begun = try TestClient(port: port)
            try begun.send([0x16, 3, 1, 2, 0])
            #expect(silent.isAtEnd())
            #expect(begun.isAtEnd())
        }
    }
}
