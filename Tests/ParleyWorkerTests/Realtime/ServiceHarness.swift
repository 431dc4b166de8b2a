import Crypto
import FoundationEssentials
import ParleyCore
import PostgresClient
import PostgresTestKit
import Support
import WebServer

@testable import ParleyWorker

/// A web server, a realtime service and a database with the functions of `Contract`.
final class ServiceHarness: ServerHandler {
    static let alice = UUID(uuidString: "00000000-0000-4000-8000-00000000000a")!
    static let bob = UUID(uuidString: "00000000-0000-4000-8000-00000000000b")!
    static let room = UUID(uuidString: "00000000-0000-4000-8000-0000000000c1")!
    static let topic = "realtime:conversation:\(room.lowercaseText)"

    let database: PostgresPool
    private let pool: PostgresPool
    private let signer: JWTSigner
    private let running = Locked<(server: WebServer, service: RealtimeService)?>(nil)

    /// Starts all of it on a database of its own, runs `body`, and removes it whatever happens.
    static func run(
        _ configuration: RealtimeConfiguration = RealtimeConfiguration(),
        _ body: @Sendable (ServiceHarness) async throws -> Void
    ) async throws {
        let cluster = try TestDatabase.variable("PARLEY_SUPERUSER_URL")
        let name = TestDatabase.uniqueName("realtime")
        try await Self.administer(cluster, "create database \(name)")
        let result: Result<Void, any Error>
        do { result = .success(try await Self.run(in: name, cluster, configuration, body)) } catch {
            result = .failure(error)
        }
        try await Self.administer(cluster, "drop database \(name) with (force)")
        try result.get()
    }

    private static func run(
        in name: String, _ cluster: String, _ configuration: RealtimeConfiguration,
        _ body: @Sendable (ServiceHarness) async throws -> Void
    ) async throws {
        let url =
            cluster.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
            + "/\(name)"
        try await Self.administer(url, Contract.script)
        let harness = try ServiceHarness(url)
        let result: Result<Void, any Error>
        do {
            try await harness.listen(configuration)
            for user in [Self.alice, Self.bob] { try await harness.admit(user) }
            result = .success(try await body(harness))
        } catch {
            result = .failure(error)
        }
        await harness.server.shutdown()
        await harness.pool.shutdown()
        await harness.database.shutdown()
        try result.get()
    }

    /// Runs a script, outside of a transaction unless it has several statements.
    private static func administer(_ url: String, _ script: String) async throws {
        try await blocking {
            let connection = try PostgresConnection(PostgresConfiguration(url: url))
            defer { connection.close() }
            try connection.execute(script: script)
        }
    }

    private init(_ url: String) throws {
        let log = Log(label: "test", threshold: .error)
        self.pool = PostgresPool(PostgresConfiguration(url: url), size: 4, maxQueued: 1000, log: log)
        self.database = PostgresPool(PostgresConfiguration(url: url), size: 1, maxQueued: 1000, log: log)
        guard let signer = JWTSigner.hs256(Self.secret) else { throw ClientError(description: "no signer") }
        self.signer = signer
    }

    private static let secret = [UInt8](repeating: 7, count: 32)

    private func listen(_ configuration: RealtimeConfiguration) async throws {
        let log = Log(label: "test", threshold: .error)
        let server = try WebServer(ServerConfiguration(), handler: self, log: log)
        let verifier = TokenVerifier(
            secret: JWTKey(hs256: Self.secret), policy: JWTPolicy(leeway: 0), load: nil, log: log)
        let schema = SchemaCacheStore(pool: self.pool, interval: .zero, log: log)
        await withCheckedContinuation { loaded in schema.refresh { _ in loaded.resume() } }
        let service = RealtimeService(
            loop: server.loop, pool: self.pool, schema: schema,
            configuration: configuration, verify: verifier.sessionToken, log: log)
        self.running.withLock { $0 = (server, service) }
        try server.start()
        service.start()
        await service.tailChanged(isLive: true)
    }

    var service: RealtimeService { self.current.service }
    var server: WebServer { self.current.server }
    private var current: (server: WebServer, service: RealtimeService) {
        guard let current = self.running.withLock({ $0 }) else { fatalError("the harness is not running") }
        return current
    }

    // MARK: ServerHandler

    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
        if !self.service.handleBroadcast(request, responder) { responder.respond(HTTPResponse(status: 404)) }
    }
    func upgrade(_ request: HTTPRequest) -> UpgradeDecision { self.service.upgrade(request) }
    func opened(_ socket: WebSocket) { self.service.opened(socket) }
    func received(_ socket: WebSocket, _ message: SocketMessage) { self.service.received(socket, message) }
    func closed(_ socket: WebSocket) { self.service.closed(socket) }

    // MARK: Tools

    func admit(_ user: UUID) async throws {
        let insert = Statement(
            "insert into parley.member values ($1::uuid, $2::uuid, 1)", [Self.room.lowercaseText, user.lowercaseText])
        _ = try await self.database.run(Transaction([insert]))
    }

    func token(
        _ user: UUID? = ServiceHarness.alice, role: String? = "authenticated", expiresIn: Int64 = 600
    ) -> String {
        var claims: JSONObject = ["exp": .int(Int64(Date.now.timeIntervalSince1970) + expiresIn)]
        if let role { claims["role"] = .string(role) }
        if let user { claims["sub"] = .string(user.lowercaseText) }
        return self.signer.sign(claims.serialized())
    }

    func client(
        _ user: UUID? = ServiceHarness.alice, role: String = "authenticated", _ version: SerializerVersion = .v2
    ) throws -> SocketClient {
        try SocketClient(port: self.server.port, key: self.token(user, role: role), version: version)
    }

    /// A client that joined the room; its reply is read.
    func member(
        _ user: UUID? = ServiceHarness.alice, _ version: SerializerVersion = .v2, role: String = "authenticated",
        config: String = #"{"private":true,"broadcast":{"ack":true}}"#
    ) throws -> SocketClient {
        let client = try self.client(user, role: role, version)
        try client.join(version, config: config)
        let reply = try client.nextText()
        guard reply.contains(#""status":"ok""#) else { throw ClientError(description: reply) }
        return client
    }

    /// Delivers rows as the tail would, at a position after everything that is in the database.
    func deliver(_ events: [LogEvent]) async throws {
        let sets = try await self.database.run(
            Transaction([Statement("select pg_current_snapshot()::text")], mode: .readOnly))
        guard let snapshot = sets.first?.rows.first?.string(0).flatMap({ PgSnapshot($0) }) else {
            throw ClientError(description: "no snapshot")
        }
        await self.service.apply(
            events, cursor: LogCursor(snapshot: snapshot, maxID: events.map(\.id).max() ?? 0))
    }

    /// A row of the log that no snapshot of a join contains yet.
    static func event(_ id: Int64, _ kind: String = "message:new", user: UUID? = nil) -> LogEvent {
        LogEvent(
            id: id, transactionID: 1 << 40, conversationID: Self.room, eventSeq: id, userID: user, kind: kind,
            actorID: nil, messageID: nil, messageSeq: nil, historyFromSeq: nil, payload: [UInt8](#"{"n":\#(id)}"#.utf8))
    }
}

extension SocketClient {
    func join(
        _ version: SerializerVersion = .v2, topic: String = ServiceHarness.topic,
        config: String = #"{"private":true,"broadcast":{"ack":true}}"#, ref: String = "1"
    ) throws {
        try self.push("phx_join", #"{"config":\#(config)}"#, version, topic: topic, ref: ref)
    }

    func push(
        _ event: String, _ payload: String = "{}", _ version: SerializerVersion = .v2,
        topic: String = ServiceHarness.topic, ref: String = "2"
    ) throws {
        switch version {
        case .v1:
            try self.send(
                #"{"topic":"\#(topic)","event":"\#(event)","payload":\#(payload),"ref":"\#(ref)","join_ref":"1"}"#)
        case .v2: try self.send(#"["1","\#(ref)","\#(topic)","\#(event)",\#(payload)]"#)
        }
    }

    func broadcast(
        _ event: String, _ payload: String = "{}", _ version: SerializerVersion = .v2, ref: String = "2"
    ) throws {
        try self.push(
            "broadcast", #"{"type":"broadcast","event":"\#(event)","payload":\#(payload)}"#, version, ref: ref)
    }
}
