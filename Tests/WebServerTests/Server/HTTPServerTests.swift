import Glibc
import Support
import Testing

@testable import WebServer

@Suite(.timeLimit(.minutes(1)))
struct HTTPServerTests {
    private static func post(_ body: String, headers: [String] = []) -> String {
        (["POST /echo HTTP/1.1", "Host: h", "Content-Length: \(body.utf8.count)"] + headers)
            .map { $0 + "\r\n" }.joined() + "\r\n" + body
    }

    @Test func answersRequestsOnOneConnection() async throws {
        try await TestServer.run { server, port in
            let client = try TestClient(port: port)
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                let response = try client.request(
                    "\(method) /a%2Fb?x=1 HTTP/1.1\r\nHost: h\r\napikey: k\r\nContent-Length: 2\r\n\r\nhi")
                #expect(response.status == 200)
                #expect(response.text == "hi")
                #expect(response.headers["connection"] == "keep-alive")
                #expect(response.headers["date"]?.hasSuffix(" GMT") == true)
            }
            let seen = server.seen.withLock { $0.requests }
            #expect(seen.map(\.method) == ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
            #expect(seen.allSatisfy { $0.path == "/a%2Fb" && $0.headers["apikey"] == "k" && $0.peer == "127.0.0.1" })
        }
    }

    @Test func headHasTheLengthButNoBody() async throws {
        try await TestServer.run { _ in
        } handle: { _, responder in
            responder.respond(HTTPResponse(status: 200, body: Array("12345".utf8)))
        } _: { _, port in
            let client = try TestClient(port: port)
            try client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + TestClient.get("/"))
            let head = try client.readResponse(bodyless: true)
            #expect(head.headers["content-length"] == "5")
            #expect(try client.readResponse().text == "12345")
        }
    }

    @Test func answersPipelinedRequestsInOrderHoweverTheAnswersCome() async throws {
        // Every second request is answered later, from another thread. Not from the task pool: tests block it.
        let other = try EventLoop()
        try await TestServer.run { _ in
        } handle: { request, responder in
            let response = HTTPResponse(status: 200, body: Array(request.path.utf8))
            if request.path.hasSuffix("1") {
                other.schedule(after: .milliseconds(1)) {
                    responder.respond(response)
                    responder.respond(HTTPResponse(status: 500))
                }
            } else {
                responder.respond(response)
            }
        } _: { _, port in
            let client = try TestClient(port: port)
            let paths = (0..<200).map { "/\($0)/\($0 % 2)" }
            try client.send(paths.map { TestClient.get($0) }.joined())
            for path in paths { #expect(try client.readResponse().text == path) }
            try client.send("GET /last/0 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + TestClient.get("/never"))
            let last = try client.readResponse()
            #expect(last.text == "/last/0")
            #expect(last.headers["connection"] == "close")
            #expect(client.isAtEnd())
        }
    }

    @Test func takesAndSendsLargeBodies() async throws {
        try await TestServer.run {
            $0.maxBodyBytes = 8 << 20
        } _: { _, port in
            // before connecting: with a sanitizer it takes as long as a client may take over its first line
            let body = (0..<(5 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let client = try TestClient(port: port)
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n")
            try client.send(body)
            #expect(try client.readResponse().body == body)

            try client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: 300_000, by: 50_000) {
                try client.send("c350\r\n")
                try client.send(Array(body[start..<start + 50_000]))
                try client.send("\r\n")
            }
            try client.send("0\r\n\r\n")
            #expect(try client.readResponse().body == Array(body[..<300_000]))
        }
    }

    @Test func refusesBodiesOverTheLimit() async throws {
        try await TestServer.run {
            $0.maxBodyBytes = 1000
        } _: { server, port in
            let client = try TestClient(port: port)
            // The client goes on sending while it is refused; the answer must reach it all the same.
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n")
            try client.send([UInt8](repeating: 65, count: 200_000))
            let response = try client.readResponse()
            #expect(response.status == 413)
            #expect(response.headers["content-type"]?.hasPrefix("application/json") == true)
            #expect(response.text.contains("larger than 1000 bytes"))
            #expect(client.isAtEnd())
            #expect(server.seen.withLock { $0.requests.isEmpty })

            let polite = try TestClient(port: port)
            try polite.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            #expect(try polite.readResponse(bodyless: true).status == 100)
            try polite.send("abc")
            #expect(try polite.readResponse().text == "abc")
        }
    }

    @Test func answersMalformedRequestsAndCloses() async throws {
        try await TestServer.run { server, port in
            let bystander = try TestClient(port: port)
            for (text, status) in [
                ("\u{16}\u{3}\u{1}garbage\r\n\r\n", 400), ("GET\r\n\r\n", 400),
                ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505), ("BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
                ("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
                ("GET / HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: "x", count: 40_000) + "\r\n\r\n", 431),
                ("GET /" + String(repeating: "x", count: 40_000), 414),
            ] {
                let client = try TestClient(port: port)
                let response = try client.request(text)
                #expect(response.status == status)
                #expect(response.headers["connection"] == "close")
                #expect(client.isAtEnd())
            }
            #expect(server.seen.withLock { $0.requests.isEmpty })
            #expect(try bystander.request(TestClient.get("/")).status == 200)
        }
    }

    @Test func answersForAForgottenResponder() async throws {
        try await TestServer.run { _ in
        } handle: { _, _ in
        } _: { _, port in
            let client = try TestClient(port: port)
            #expect(try client.request(TestClient.get("/")).status == 500)
            #expect(try client.request(TestClient.get("/")).status == 500)
        }
    }

    @Test func survivesClientsThatLeave() async throws {
        let held = Locked<[HTTPResponder]>([])
        try await TestServer.run { _ in
        } handle: { request, responder in
            if request.path == "/hold" {
                held.withLock { $0.append(responder) }
            } else {
                responder.respond(HTTPResponse(status: 200, body: [UInt8](repeating: 65, count: 2 << 20)))
            }
        } _: { server, port in
            for _ in 0..<5 {
                let client = try TestClient(port: port)
                try client.send(TestClient.get("/hold"))
                _ = await server.eventually { _ in held.withLock { !$0.isEmpty } }
                client.reset()
                let responders = held.withLock { held in
                    defer { held = [] }
                    return held
                }
                for responder in responders { responder.respond(HTTPResponse(status: 200)) }

                let other = try TestClient(port: port)
                try other.send(TestClient.get("/big"))
                _ = try other.read(1000)
                other.reset()
            }
            let client = try TestClient(port: port)
            #expect(try client.request(TestClient.get("/big")).body.count == 2 << 20)
        }
    }

    @Test func givesUpOnSlowAndIdleClients() async throws {
        let held = Locked<[HTTPResponder]>([])
        try await TestServer.run {
            $0.headerTimeout = .milliseconds(60)
            $0.bodyTimeout = .milliseconds(60)
            $0.responseTimeout = .milliseconds(60)
            $0.keepAliveTimeout = .milliseconds(60)
        } handle: { request, responder in
            guard request.path == "/never" else { return responder.respond(HTTPResponse(status: 200)) }
            held.withLock { $0.append(responder) }
        } _: { _, port in
            let silent = try TestClient(port: port)
            let slowHead = try TestClient(port: port)
            try slowHead.send("GET / HT")
            let slowBody = try TestClient(port: port)
            try slowBody.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
            let waiting = try TestClient(port: port)
            try waiting.send(TestClient.get("/never"))
            #expect(silent.isAtEnd())
            #expect(try slowHead.readResponse().status == 408)
            #expect(try slowBody.readResponse().status == 408)
            #expect(try waiting.readResponse().status == 504)
            let idle = try TestClient(port: port)
            #expect(try idle.request(TestClient.get("/")).status == 200)
            #expect(idle.isAtEnd())
        }
    }

    /// Each limit is one for the whole: bytes that trickle win no time.
    @Test(arguments: [
        "\r\n", "X: y\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;",
    ])
    func tricklingClientsAreGivenUp(start: String) async throws {
        try await TestServer.run {
            $0.headerTimeout = .milliseconds(300)
            $0.bodyTimeout = .milliseconds(300)
        } _: { server, port in
            let client = try TestClient(port: port)
            var text = start == "X: y\r\n" ? "GET / HTTP/1.1\r\nHost: h\r\n" : ""
            text += start
            var sent = 0
            while sent < 100, server.onLoop({ server.server.connectionCount }) > 0 || sent < 2 {
                guard (try? client.send(text)) != nil else { break }
                text = start.hasSuffix(";") || start.count > 10 ? "x" : start
                usleep(20_000)
                sent += 1
            }
            #expect(sent < 100)
            if start != "\r\n" { #expect(try client.readResponse().status == 408) }
        }
    }
}
