import Crypto
import FoundationEssentials
import ParleyCore
import PostgresClient
import Support
import WebServer

@testable import ParleyWorker

/// A gateway onto the schema `door` of Tests/conformance/gateway_schema.sql, in the cluster of the test run.
struct LiveGateway: Sendable {
    /// The superuser of the throw-away cluster (Tests/support/cluster.sh); nil outside `make test`.
    static let databaseURL = ProcessInfo.processInfo.environment["PARLEY_SUPERUSER_URL"]
    static let secret = Array("a secret of at least thirty-two bytes".utf8)

    let gateway: Gateway
    let pool: PostgresPool
    let log: Lines

    /// One for all tests: the schema is installed once.
    static let shared = Task { try await LiveGateway() }

    struct Answer: Sendable {
        var status: Int
        var headers: [String: String]
        var body: String
    }

    /// What was logged.
    final class Lines: Sendable {
        private let lines = Locked<[String]>([])
        func append(_ line: String) { self.lines.withLock { $0.append(line) } }
        var all: [String] { self.lines.withLock { $0 } }
    }

    init() async throws {
        let url = Self.databaseURL ?? ""
        let lines = Lines()
        let log = Log(label: "test", threshold: .debug) { lines.append($0.text) }
        let pool = PostgresPool(PostgresConfiguration(url: url), size: 4, maxQueued: 64, log: log)
        try await Self.install(pool)
        self.init(pool: pool, lines: lines, log: log)
    }

    init(
        pool: PostgresPool, lines: Lines, log: Log, schema: String = "door", reloadInterval: Duration = .zero
    ) {
        var configuration = GatewayConfiguration()
        configuration.statementTimeout = .milliseconds(500)
        self.pool = pool
        self.log = lines
        let key = JWTKey(hs256: Self.secret)
        let verifier = JWTVerifier(keys: JWTKeySet(secret: key), policy: JWTPolicy())
        self.gateway = Gateway(
            configuration, pool: pool,
            schema: SchemaCacheStore(pool: pool, name: schema, interval: reloadInterval, log: log),
            authenticate: { token throws(JWTError) in
                try verifier.verify(token, now: Int64(Date.now.timeIntervalSince1970))
            }, log: log)
    }

    /// The server runs a script of several statements inside one `do`.
    private static func install(_ pool: PostgresPool) async throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../conformance/gateway_schema.sql").standardized
        let script = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        let prologue = "drop schema if exists door cascade; drop schema if exists hidden cascade;"
        _ = try await pool.run(
            Transaction(
                [
                    Statement("select set_config('test.script', $1, true)", [prologue + script]),
                    Statement("do $$ begin execute current_setting('test.script'); end $$"),
                ], timeout: .seconds(60)))
    }

    func sql(_ text: String) async throws -> String? {
        try await self.pool.run(Transaction([Statement(text)])).first?.rows.first?.string(0)
    }

    /// A token signed with the gateway's secret.
    static func token(_ claims: String) -> String { JWTSigner.hs256(Self.secret)?.sign(Array(claims.utf8)) ?? "" }

    /// A token that is good for a minute.
    static func token(role: String) -> String {
        self.token(#"{"role":"\#(role)","exp":\#(Int(Date.now.timeIntervalSince1970) + 60),"sub":"x"}"#)
    }

    /// Sends a request; `target` is a path with an optional query, in which only `%20` and `%22` are decoded.
    func ask(
        _ method: String, _ target: String, body: String = "", token: String? = nil, headers: [String: String] = [:]
    ) async -> Answer {
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        var query: [(name: String, value: String)] = []
        for pair in parts.count < 2 ? [] : parts[1].split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { side in
                String(side).replacing("%20", with: " ").replacing("%22", with: "\"")
            }
            query.append((name: sides[0], value: sides.count < 2 ? "" : sides[1]))
        }
        var headers = headers
        if let token { headers["authorization"] = "Bearer \(token)" }
        let request = HTTPRequest(
            method: method, path: "/rest/v1" + parts[0], query: query, headers: headers, body: Array(body.utf8))
        let response = await withCheckedContinuation { continuation in
            self.gateway.answer(request) { continuation.resume(returning: $0) }
        }
        return Answer(
            status: response.status,
            headers: Dictionary(
                response.headers.map { ($0.0.lowercased(), $0.1) }, uniquingKeysWith: { "\($0), \($1)" }),
            body: String(decoding: response.body, as: UTF8.self))
    }
}
