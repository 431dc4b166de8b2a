public import Crypto
internal import ParleyCore
public import PostgresClient
public import Support
public import WebServer

/// The PostgREST-compatible door onto one schema: `/rest/v1/<view>` and `/rest/v1/rpc/<function>`.
///
/// What a request means is decided by `GatewayPlanner`, without I/O. This type finds out who calls, keeps the schema
/// cache, runs the planned statement as the caller in one transaction and one round trip, and words the answer. It
/// queues nothing: the pool's queue is the only one, and it is bounded.
public final class Gateway: Sendable {
    /// Verifies a token; called on the server's loop, so it must not wait. `TokenVerifier.verify` is one.
    public typealias Authenticate = @Sendable (_ token: String) throws(JWTError) -> VerifiedToken

    private let configuration: GatewayConfiguration
    private let pool: PostgresPool
    private let store: SchemaCacheStore
    private let authenticate: Authenticate
    private let log: Log

    public init(
        _ configuration: GatewayConfiguration, pool: PostgresPool, authenticate: @escaping Authenticate, log: Log
    ) {
        self.configuration = configuration
        self.pool = pool
        self.store = SchemaCacheStore(pool: pool, configuration: configuration, log: log)
        self.authenticate = authenticate
        self.log = log
    }

    /// Reads the schema again: at start, and whenever the database is back after it was away, since it may have been
    /// upgraded meanwhile. Returns at once.
    public func reloadSchema() { self.store.refresh(force: true) { _ in } }

    /// Answers a request below the prefix, now or later. - Returns: false for any other path.
    public func handle(_ request: HTTPRequest, _ responder: HTTPResponder) -> Bool {
        guard self.owns(request) else { return false }
        let cancellation = PoolCancellation()
        responder.whenAbandoned { cancellation.cancel() }
        self.answer(request, cancellation, verified: { responder.attribute(to: $0) }, { responder.respond($0) })
        return true
    }

    /// Whether the path is below the prefix.
    func owns(_ request: HTTPRequest) -> Bool {
        request.path == self.configuration.prefix || request.path.hasPrefix(self.configuration.prefix + "/")
    }

    /// Answers a request whose path is below the prefix; `done` is called once, on any thread.
    ///
    /// - Parameters:
    ///   - cancellation: of a request whose client may leave; only reads are taken back.
    ///   - verified: told the user of the request's token, before this returns.
    func answer(
        _ request: HTTPRequest, _ cancellation: PoolCancellation? = nil,
        verified: (String) -> Void = { _ in },
        _ done: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        if let preflight = CrossOrigin.preflight(request) { return done(preflight) }
        let finish: @Sendable (Result<GatewayResponse, GatewayError>) -> Void = { result in
            switch result {
            case .success(let response): done(Self.http(response))
            case .failure(let error):
                if error.status >= 500 {
                    self.log.warning(
                        "request failed", [("http.status", String(error.status)), ("code", error.code.rawValue)])
                }
                done(Self.http(error.response))
            }
        }
        guard let segments = request.segments else { return finish(.failure(.undecodablePath)) }
        let caller: GatewayCaller
        do {
            caller = try self.caller(request.headers, peer: request.peer, verified)
        } catch {
            return finish(.failure(error))
        }
        let prefixLength = self.configuration.prefix.split(separator: "/").count
        let call = GatewayRequest(
            method: request.method, segments: Array(segments.dropFirst(prefixLength)),
            query: request.query.map { GatewayRequest.Parameter($0.name, $0.value) }, headers: request.headers,
            body: request.body)
        self.run(call, caller, cancellation, finish)
    }

    /// Who calls, by the token of the request.
    private func caller(
        _ headers: [String: String], peer: String, _ named: (String) -> Void
    ) throws(GatewayError) -> GatewayCaller {
        guard let token = try GatewayCaller.token(headers) else {
            return GatewayCaller.anonymous(self.configuration, peer: peer)
        }
        let verified: VerifiedToken
        do {
            verified = try self.authenticate(token)
        } catch {
            throw GatewayError(error)
        }
        guard self.configuration.roles.contains(verified.role) else { throw .role(verified.role) }
        if let subject = verified.subject { named(subject.lowercased()) }
        return GatewayCaller(verified, anonymousRole: self.configuration.anonymousRole, peer: peer)
    }

    // MARK: - One request

    private typealias Finish = @Sendable (Result<GatewayResponse, GatewayError>) -> Void

    private func run(
        _ request: GatewayRequest, _ caller: GatewayCaller, _ cancellation: PoolCancellation?,
        _ finish: @escaping Finish
    ) {
        guard let cache = self.store.current else {
            return self.store.refresh { cache in
                guard let cache else { return finish(.failure(.noSchemaCache)) }
                self.run(request, caller, cancellation, cache, mayReload: false, finish)
            }
        }
        self.run(request, caller, cancellation, cache, mayReload: true, finish)
    }

    private func run(
        _ request: GatewayRequest, _ caller: GatewayCaller, _ cancellation: PoolCancellation?, _ cache: SchemaCache,
        mayReload: Bool, _ finish: @escaping Finish
    ) {
        let planner = GatewayPlanner(cache: cache, maxRows: self.configuration.maxRows)
        do {
            if request.method == "OPTIONS" {
                let allow = HeaderField("Allow", try planner.allowedMethods(request))
                return finish(.success(GatewayResponse(status: 200, headers: [allow], body: [])))
            }
            self.execute(try planner.plan(request), request, caller, cancellation, finish)
        } catch {
            guard mayReload, Self.mayBeStale(error) else { return finish(.failure(error)) }
            self.store.refresh { fresh in
                guard let fresh else { return finish(.failure(.noSchemaCache)) }
                self.run(request, caller, cancellation, fresh, mayReload: false, finish)
            }
        }
    }

    private func execute(
        _ plan: GatewayPlan, _ request: GatewayRequest, _ caller: GatewayCaller, _ cancellation: PoolCancellation?,
        _ finish: @escaping Finish
    ) {
        let transaction = Transaction(
            [
                GatewayStatements.settings(request, caller, self.configuration),
                GatewayStatements.call(plan, caller),
            ],
            mode: plan.isReadOnly ? .readOnly : .readWrite,
            // The server gives up first, and says so better than a lost connection would.
            timeout: self.configuration.statementTimeout + .seconds(5), contention: plan.conversation,
            contentionTable: "conversation", lane: plan.isReadOnly ? .reading : .prompt, owner: caller.owner)
        // A change that was asked for is made, whether somebody still listens or not.
        self.pool.submit(transaction, cancellation: plan.isReadOnly ? cancellation : nil) { result in
            switch result {
            case .failure(let error):
                // Something the cache lists may have been dropped or replaced.
                if ["42883", "42P01", "42703"].contains(error.sqlState) { self.store.refresh { _ in } }
                finish(.failure(GatewayError(error, caller: caller)))
            case .success(let results):
                guard let row = results.last?.rows.first else { return finish(.failure(.internalError)) }
                let columns = (0..<row.count).map { row[$0] }
                do throws(GatewayError) {
                    finish(.success(try plan.response(columns)))
                } catch {
                    finish(.failure(error))
                }
            }
        }
    }

    /// Whether a newer schema cache could answer otherwise.
    private static func mayBeStale(_ error: GatewayError) -> Bool {
        ["PGRST202", "PGRST203", "PGRST205", "42703"].contains(error.code.rawValue)
    }

    // MARK: - HTTP

    private static func http(_ response: GatewayResponse) -> HTTPResponse {
        HTTPResponse(
            status: response.status,
            headers: response.headers.map { ($0.name, $0.value) } + CrossOrigin.headers,
            body: response.body)
    }
}
