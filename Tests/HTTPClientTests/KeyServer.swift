import FoundationEssentials
import Support
import WebServer

/// A web server on a free port of this machine, with a certificate made for the test or in the clear.
final class KeyServer: ServerHandler {
    let requests = Locked(0)
    private let server = Locked<WebServer?>(nil)
    private let answer: @Sendable (HTTPRequest, HTTPResponder) -> Void
    private let isSecure: Bool

    static func with<Result>(
        certificate: Certificate? = nil, answer: @escaping @Sendable (HTTPRequest, HTTPResponder) -> Void,
        _ body: (KeyServer) async throws -> Result
    ) async throws -> Result {
        let handler = KeyServer(isSecure: certificate != nil, answer: answer)
        var configuration = ServerConfiguration()
        configuration.tls = certificate.map { .init(certificatePath: $0.certificate, keyPath: $0.key) }
        let server = try WebServer(configuration, handler: handler, log: Log(label: "test", threshold: .error))
        try server.start()
        handler.server.withLock { $0 = server }
        do {
            let result = try await body(handler)
            await server.shutdown()
            return result
        } catch {
            await server.shutdown()
            throw error
        }
    }

    private init(isSecure: Bool, answer: @escaping @Sendable (HTTPRequest, HTTPResponder) -> Void) {
        self.isSecure = isSecure
        self.answer = answer
    }

    func url(_ path: String, host: String = "localhost") -> String {
        "\(self.isSecure ? "https" : "http")://\(host):\(self.server.withLock { $0?.port ?? 0 })\(path)"
    }

    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        self.requests.withLock { $0 += 1 }
        self.answer(request, responder)
    }

    func upgrade(_ request: HTTPRequest) -> UpgradeDecision { .refuse(HTTPResponse(status: 404)) }
    func opened(_ socket: WebSocket) {}
    func received(_ socket: WebSocket, _ message: SocketMessage) {}
    func closed(_ socket: WebSocket) {}
}

/// A self-signed certificate for `localhost`, in files that go away with the object.
final class Certificate: Sendable {
    let directory: String
    var certificate: String { self.directory + "/certificate.pem" }
    var key: String { self.directory + "/key.pem" }

    init() async throws {
        self.directory = FileManager.default.temporaryDirectory.path + "/parley-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
        let outcome = try await ChildProcess.run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", self.key, "-out",
            self.certificate)
        guard outcome.exit.isSuccess else { throw CocoaError(.fileWriteUnknown) }
    }

    deinit { try? FileManager.default.removeItem(atPath: self.directory) }
}
