import Testing

@testable import WebServer

struct RequestReaderTests {
    private enum Outcome: Equatable {
        case request(method: String, path: String, body: String)
        case failure(Int)
    }

    /// Feeds the text in parts of the given size, and collects what comes out.
    private func read(
        _ text: String, step: Int = .max, maxHeaderBytes: Int = 1024, maxBodyBytes: Int = 64
    ) -> [Outcome] {
        var reader = RequestReader(maxHeaderBytes: maxHeaderBytes, maxBodyBytes: maxBodyBytes)
        var outcomes: [Outcome] = []
        let bytes = Array(text.utf8)
        var start = 0
        while start < bytes.count {
            let end = step == .max ? bytes.count : min(bytes.count, start + step)
            bytes[start..<end].withUnsafeBytes { input in
                var index = 0
                while index < input.count {
                    switch reader.read(input, &index) {
                    case .needsMore, .awaitsBody: continue
                    case .complete(let head, let body):
                        outcomes.append(
                            .request(
                                method: head.method, path: head.path, body: String(decoding: body, as: UTF8.self)))
                    case .failed(let failure):
                        outcomes.append(.failure(failure.status))
                        return
                    }
                }
            }
            if case .failure = outcomes.last { return outcomes }
            start = end
        }
        return outcomes
    }

    @Test(arguments: [1, 2, 3, 7, 64, Int.max])
    func readsPipelinedRequestsCutAnywhere(step: Int) {
        let text =
            "\r\nGET /a%2Fb/c?x=1 HTTP/1.1\r\nHost: h\r\n\r\n"
            + "POST /p HTTP/1.1\r\nhost: h\r\nContent-Length: 5\r\n\r\nhello"
            + "PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "4;x=y\r\nWiki\r\n0005\r\npedia\r\n0\r\nTrailer: t\r\n\r\n"
            + "OPTIONS * HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
            + "GET http://h/abs?q HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(
            self.read(text, step: step) == [
                .request(method: "GET", path: "/a%2Fb/c", body: ""),
                .request(method: "POST", path: "/p", body: "hello"),
                .request(method: "PUT", path: "/c", body: "Wikipedia"),
                .request(method: "OPTIONS", path: "*", body: ""),
                .request(method: "GET", path: "/abs", body: ""),
            ])
    }

    @Test(arguments: [
        ("NONSENSE\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: h\n\n\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        ("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        ("get / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        ("GET relative HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /\u{1} HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /#f HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET /?a=%FF HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nNoColon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: a\u{0}b\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\na", 400),
    ])
    func refusesWhatIsNotARequest(text: String, status: Int) {
        #expect(self.read(text) == [.failure(status)])
        #expect(self.read(text, step: 1) == [.failure(status)])
    }

    @Test func boundsHeaders() {
        let long = String(repeating: "a", count: 2000)
        #expect(self.read("GET /\(long) HTTP/1.1\r\nHost: h\r\n\r\n", step: 100) == [.failure(414)])
        #expect(self.read("GET / HTTP/1.1\r\nHost: h\r\nX: \(long)\r\n\r\n", step: 100) == [.failure(431)])
        let many = String(repeating: "a: b\r\n", count: 129)
        #expect(self.read("GET / HTTP/1.1\r\n\(many)\r\n", maxHeaderBytes: 4096) == [.failure(431)])
        // A request of exactly the limit passes.
        let start = "GET / HTTP/1.1\r\nHost: h\r\nX: "
        let fill = String(repeating: "x", count: 1024 - start.utf8.count)
        #expect(self.read(start + fill + "\r\n\r\n") == [.request(method: "GET", path: "/", body: "")])
        #expect(self.read(start + fill + "x\r\n\r\n") == [.failure(431)])
        // A trailer without end is bounded too.
        let chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        #expect(self.read(chunked + String(repeating: "T: \(long.prefix(900))\r\n", count: 20)) == [.failure(431)])
    }

    private func head(_ lines: String...) throws -> RequestHead {
        try RequestHead(parsing: Array(lines.joined(separator: "\r\n").utf8)[...])
    }

    @Test func readsHeadersAndQuery() throws {
        let head = try self.head(
            "GET /rest?select=a%2Cb&name=J%C3%BCrgen+B&empty=&flag&x=1=2&bad=%zz HTTP/1.1", "Host: h",
            "Accept-Profile:  parley_api \t", "X-Two: a", "x-two: b", "Cookie: a=1", "Cookie: b=2", "X-Latin: \u{e9}")
        #expect(head.query.map(\.name) == ["select", "name", "empty", "flag", "x", "bad"])
        #expect(head.query.map(\.value) == ["a,b", "Jürgen B", "", "", "1=2", "%zz"])
        #expect(head.headers["accept-profile"] == "parley_api")
        #expect(head.headers["x-two"] == "a, b")
        #expect(head.headers["cookie"] == "a=1; b=2")
        #expect(head.headers["x-latin"] == "é")
    }

    @Test(arguments: [
        ("HTTP/1.1", nil, true), ("HTTP/1.1", "close", false), ("HTTP/1.1", "Keep-Alive, Close", false),
        ("HTTP/1.0", nil, false), ("HTTP/1.0", "keep-alive", true),
    ])
    func decidesKeepAlive(version: String, connection: String?, expected: Bool) throws {
        let line = connection.map { "Connection: \($0)" } ?? "X: y"
        #expect(try self.head("GET / \(version)", "Host: h", line).keepsAlive == expected)
    }

    @Test func decodesSegmentsAfterSplitting() {
        #expect(
            HTTPRequest(method: "GET", path: "/api/room%3A1%2F%C3%A9/my%20event").segments == [
                "api", "room:1/é", "my event",
            ])
        #expect(HTTPRequest(method: "GET", path: "/a+b").segments == ["a+b"])
        #expect(HTTPRequest(method: "GET", path: "/%ff").segments == nil)
        #expect(HTTPRequest(method: "GET", path: "/%00").segments == nil)
    }

    @Test func writesResponseHeads() {
        let response = HTTPResponse(
            status: 200, headers: [("x-ok", "1"), ("x-bad", "a\r\nSet-Cookie: b"), ("Content-Length", "9")],
            body: Array("hi".utf8))
        let head = String(
            decoding: ResponseEncoder.head(response, keepsAlive: true, date: ResponseEncoder.date(784_111_777)),
            as: UTF8.self)
        #expect(
            head == "HTTP/1.1 200 OK\r\nx-ok: 1\r\ncontent-length: 2\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                + "connection: keep-alive\r\n\r\n")
        let empty = String(
            decoding: ResponseEncoder.head(HTTPResponse(status: 204), keepsAlive: false, date: "d"), as: UTF8.self)
        #expect(!empty.contains("content-length"))
        #expect(empty.contains("connection: close"))
    }
}
