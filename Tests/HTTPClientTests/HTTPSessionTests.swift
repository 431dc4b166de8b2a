import Support
import Testing
import WebServer

@testable import HTTPClient

@Suite(.timeLimit(.minutes(1))) struct HTTPSessionTests {
    private func code(_ session: HTTPSession, _ url: String) async -> HTTPError.Code? {
        do throws(HTTPError) {
            _ = try await session.get(url)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func fetchesOverTLSFromATrustedServer() async throws {
        let server = try await SecureServer()
        let session = HTTPSession(HTTPConfiguration(certificateAuthority: server.certificate))
        for _ in 0..<2 {
            let response = try await session.get("https://localhost:\(server.port)/")
            #expect(response.status == 200 && !response.body.isEmpty)
        }
        // Not for this name, and not by this authority.
        #expect(await self.code(session, "https://127.0.0.1:\(server.port)/") == .tls)
        let system = HTTPSession(HTTPConfiguration())
        #expect(await self.code(system, "https://localhost:\(server.port)/") == .tls)
        let missing = HTTPSession(HTTPConfiguration(certificateAuthority: "/nowhere.pem"))
        #expect(await self.code(missing, "https://localhost:\(server.port)/") == .tls)
    }

    @Test func answersWithAnyStatusAndFollowsNothing() async throws {
        try await KeyServer.with(
            { request, responder in
                let status = Int(request.path.dropFirst()) ?? 0
                responder.respond(HTTPResponse(status: status, headers: [("location", "/200")], body: [1]))
            },
            test: { server in
                let session = HTTPSession(HTTPConfiguration(allowsCleartext: true))
                for status in [200, 301, 302, 307, 404, 500, 503] {
                    let response = try await session.get(server.url("/\(status)"))
                    #expect(response.status == status)
                }
                #expect(server.requests.withLock { $0 } == 7)
            })
    }

    @Test func refusesLargeBodies() async throws {
        try await KeyServer.with(
            { request, responder in
                let count = Int(request.path.dropFirst()) ?? 0
                responder.respond(HTTPResponse(status: 200, body: [UInt8](repeating: 7, count: count)))
            },
            test: { server in
                let session = HTTPSession(HTTPConfiguration(maxBodyBytes: 10_000, allowsCleartext: true))
                let response = try await session.get(server.url("/10000"))
                #expect(response.body.count == 10_000)
                #expect(await self.code(session, server.url("/10001")) == .tooLarge)
                #expect(await self.code(session, server.url("/1000000")) == .tooLarge)
            })
    }

    @Test func givesUpInTimeAndWhenCancelled() async throws {
        let forgotten = Locked<[HTTPResponder]>([])
        try await KeyServer.with(
            { _, responder in forgotten.withLock { $0.append(responder) } },
            test: { server in
                let url = server.url("/")
                let hasty = HTTPSession(HTTPConfiguration(timeout: .milliseconds(100), allowsCleartext: true))
                #expect(await self.code(hasty, url) == .timeout)

                let patient = HTTPSession(HTTPConfiguration(allowsCleartext: true))
                let task = Task { await self.code(patient, url) }
                while server.requests.withLock({ $0 }) < 2 { try await Task.sleep(for: .milliseconds(5)) }
                task.cancel()
                #expect(await task.value == .cancelled)
                // Cancelled before it began.
                let early = Task {
                    while !Task.isCancelled { await Task.yield() }
                    return await self.code(patient, url)
                }
                early.cancel()
                #expect(await early.value == .cancelled)

                let last = Task { await self.code(patient, url) }
                while server.requests.withLock({ $0 }) < 3 { try await Task.sleep(for: .milliseconds(5)) }
                patient.shutdown()
                #expect(await last.value == .shutdown)
                #expect(await self.code(patient, url) == .shutdown)
            })
    }

    @Test func boundsWhatIsUnderWay() async throws {
        let held = Locked<[HTTPResponder]>([])
        try await KeyServer.with(
            { _, responder in held.withLock { $0.append(responder) } },
            test: { server in
                let session = HTTPSession(HTTPConfiguration(allowsCleartext: true))
                let url = server.url("/")
                let tasks = (0..<HTTPConfiguration().maxRequests).map { _ in Task { await self.code(session, url) } }
                while held.withLock({ $0.count }) < HTTPConfiguration().maxRequests {
                    try await Task.sleep(for: .milliseconds(5))
                }
                #expect(await self.code(session, url) == .queueFull)
                for responder in held.withLock({ $0 }) { responder.respond(HTTPResponse(status: 204)) }
                for task in tasks { #expect(await task.value == nil) }
            })
    }

    @Test(arguments: [
        "", "keys", "ftp://localhost/", "file:///etc/passwd", "http://localhost/", "https://", "https://x y/",
    ])
    func refusesOtherURLs(url: String) async {
        #expect(await self.code(HTTPSession(HTTPConfiguration()), url) == .invalidURL)
    }

    @Test func saysWhenNobodyListens() async throws {
        // Port 1 needs privileges to listen on; nothing does.
        let session = HTTPSession(HTTPConfiguration(allowsCleartext: true))
        #expect(await self.code(session, "http://127.0.0.1:1/") == .connectFailed)
    }
}
