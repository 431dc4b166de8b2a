import FoundationEssentials
import Glibc
import Support

/// OpenSSL's test server, which answers every request with a status page, behind a self-signed certificate for
/// `localhost`. It ends with the object.
final class SecureServer: Sendable {
    let certificate: String
    let port: Int
    private let directory: String
    private let pid: Int32

    init() async throws {
        self.directory = FileManager.default.temporaryDirectory.path + "/parley-test-\(UUID().uuidString)"
        self.certificate = self.directory + "/certificate.pem"
        try FileManager.default.createDirectory(atPath: self.directory, withIntermediateDirectories: true)
        let made = try await ChildProcess.run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", self.directory + "/key.pem",
            "-out", self.certificate)
        guard made.exit.isSuccess else { throw CocoaError(.fileWriteUnknown) }
        let started = try await ChildProcess.run(
            "sh", "-c",
            """
            cd "$0"
            openssl s_server -accept 127.0.0.1:0 -cert certificate.pem -key key.pem -www >log 2>&1 </dev/null & echo $!
            """, self.directory)
        self.pid = Int32(started.output.split(separator: "\n").first ?? "") ?? 0
        self.port = try await Self.port(in: self.directory + "/log")
    }

    deinit {
        if self.pid > 1 { kill(self.pid, SIGKILL) }
        try? FileManager.default.removeItem(atPath: self.directory)
    }

    /// The server writes "ACCEPT 127.0.0.1:<port>" once it listens.
    private static func port(in log: String) async throws -> Int {
        for _ in 0..<500 {
            let text = FileText.string(of: log) ?? ""
            let line = text.split(separator: "\n").first { $0.hasPrefix("ACCEPT") }
            if let port = line?.split(separator: ":").last.flatMap({ Int($0) }) { return port }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw CocoaError(.fileReadUnknown)
    }
}
