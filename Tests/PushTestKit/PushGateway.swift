internal import FoundationEssentials
internal import Glibc
internal import HTTPClient
public import ParleyCore
internal import Support

/// Tests/support/push_gateway.py, which stands for Apple, Google, a Web Push service and a webhook. It ends with the
/// object, or with the test's process.
public final class PushGateway: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    public let port: Int
    /// What to trust.
    public let certificate: String
    /// A file of settings for a worker that sends to it.
    public let settings: String
    private let directory: String
    private let pid: Int32
    private let session: HTTPSession

    public init() async throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        self.directory = FileManager.default.temporaryDirectory.path + "/parley-push-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
        let started = try await ChildProcess.run(
            "sh", "-c",
            """
            "$0/.venv/bin/python" "$0/Tests/support/push_gateway.py" "$1" \(getpid()) >"$1/out" 2>&1 </dev/null & echo $!
            """, root, self.directory)
        self.pid = Int32(started.output.split(separator: "\n").first ?? "") ?? 0
        let told = try await Self.told(in: self.directory + "/out")
        self.port = Int(told["port"]?.int64 ?? 0)
        self.certificate = told["certificate"]?.string ?? ""
        self.settings = told["settings"]?.string ?? ""
        self.session = HTTPSession(HTTPConfiguration(certificateAuthority: self.certificate))
    }

    deinit {
        if self.pid > 1 { kill(self.pid, SIGKILL) }
        try? FileManager.default.removeItem(atPath: self.directory)
    }

    private static func told(in path: String) async throws -> JSONValue {
        for _ in 0..<1000 {
            let text = FileText.string(of: path) ?? ""
            if let line = text.split(separator: "\n").first, line.hasPrefix("{") {
                return try JSONValue.parse(String(line))
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Failure(description: "the gateway does not start: \(FileText.string(of: path) ?? "")")
    }

    public func url(_ path: String) -> String { "https://localhost:\(self.port)\(path)" }

    /// What came so far: `log`, `violations`, `connections`, `refused`, `resets`, `most_streams`.
    public func state() async throws -> JSONValue {
        try JSONValue.parse(try await self.session.get(self.url("/control/log")).body)
    }

    /// Requests of one kind, in the order received.
    public func received(_ kind: String) async throws -> [JSONValue] {
        (try await self.state()["log"]?.array ?? []).filter { $0["kind"]?.string == kind }
    }

    /// Changes its settings, or the outcomes (`script`) of what is sent to a token, an endpoint's path or `webhook`.
    public func set(_ changes: JSONValue) async throws {
        _ = try await self.session.send(.init(.post, self.url("/control"), body: changes.serialized()))
    }

    /// A browser's subscription: `endpoint`, `p256dh`, `auth`.
    public func subscribe() async throws -> JSONValue {
        try JSONValue.parse(try await self.session.send(.init(.post, self.url("/control/subscribe"))).body)
    }
}
