public import Crypto
internal import FoundationEssentials
internal import ParleyCore
internal import PostgresClient
internal import Support
public import WebServer

/// One schema over HTTP, as PostgREST serves it: `/rest/v1/<view>`, `/rest/v1/rpc/<function>`, and at `/rest/v1/` its
/// description.
///
/// What a request means is decided by `GatewayPlanner`, without I/O. This type finds out who asks, runs the planned
/// statement as the caller in one transaction and one round trip, and words the answer. It queues nothing: the pool's
/// queue is the only one, and it is bounded.
public final class Gateway: Sendable {
    /// Verifies a token; called on the server's loop, so it must not wait. `TokenVerifier.verify` is one.
    public typealias Authenticate = @Sendable (_ token: String) throws(JWTError) -> VerifiedToken

    private let configuration: GatewayConfiguration
    private let pool: PostgresPool
    private let schema: SchemaCacheStore
    private let authenticate: Authenticate
    private let limiter: UserLimiter
    private let access: AccessLog?
    private let log: Log
    private let described = Locked<Description?>(nil)

    private struct Description: Sendable {
        var generation: Int
        var bytes: [UInt8]
    }

    init(
        _ configuration: GatewayConfiguration, pool: PostgresPool, schema: SchemaCacheStore,
        authenticate: @escaping Authenticate, limiter: UserLimiter? = nil,
        access: AccessLog? = nil, log: Log
    ) {
        self.configuration = configuration
        self.pool = pool
        self.schema = schema
        self.authenticate = authenticate
        self.limiter = limiter ?? UserLimiter(pool: pool, log: log)
        self.access = access
        self.log = log
    }

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
        let entry = Locked(AccessEntry(start: Clock.steadyNanoseconds()))
        let finish: Finish = { result in
            let (status, noted) = (result.status, entry.withLock { $0 })
            self.access?.note(.http, noted.target, user: noted.user, status: status, since: noted.start)
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
        entry.withLock { $0.user = caller.user }
        let prefixLength = self.configuration.prefix.split(separator: "/").count
        let asked = GatewayRequest(
            method: request.method, segments: Array(segments.dropFirst(prefixLength)),
            query: request.query.map { GatewayRequest.Parameter($0.name, $0.value) }, headers: request.headers,
            body: request.body)
        if let refusal = self.limiter.refusal(Self.kind(asked), of: caller.user) { return finish(.failure(refusal)) }
        self.run(asked, caller, cancellation, named: { name in entry.withLock { $0.target = name } }, finish)
    }

    /// Which limit a request counts against.
    private static func kind(_ request: GatewayRequest) -> LimitBook.Kind {
        guard case .function(let function)? = try? request.target() else { return .request }
        return LimitBook.Kind(function: function)
    }

    /// Who calls, by the token of the request.
    private func caller(
        _ headers: [String: String], peer: String, _ named: (String) -> Void
    ) throws(APIError) -> GatewayCaller {
        guard let token = try GatewayCaller.token(headers) else {
            return GatewayCaller.anonymous(peer: peer)
        }
        let verified: VerifiedToken
        do {
            verified = try self.authenticate(token)
        } catch {
            throw APIError(error)
        }
        guard APIRoles.all.contains(verified.role) else { throw .role(verified.role) }
        if let subject = verified.subject { named(subject.lowercased()) }
        return GatewayCaller(verified, peer: peer)
    }

    // MARK: - One request

    private typealias Finish = @Sendable (Result<GatewayResponse, APIError>) -> Void

    /// What the access record tells of a request.
    private struct AccessEntry: Sendable {
        var start: Int64
        var target: String?
        var user: UUID?
    }

    /// What a request is answered with.
    private enum Step: Sendable {
        case query(GatewayPlan)
        case response(GatewayResponse)
    }

    private func run(
        _ request: GatewayRequest, _ caller: GatewayCaller, _ cancellation: PoolCancellation?,
        named: @escaping @Sendable (String) -> Void, _ finish: @escaping Finish
    ) {
        // It also counts the wait for the schema, which a request for something unknown has to load again.
        let deadline = ContinuousClock.now + AnswerTime.longest
        let make: SchemaCacheStore.Make<Step> = { cache throws(APIError) in
            let planner = GatewayPlanner(cache: cache, maxRows: self.configuration.maxRows)
            if request.method == "OPTIONS" {
                let allow = HeaderField("Allow", try planner.allowedMethods(request))
                return .response(GatewayResponse(status: 200, headers: [allow], body: []))
            }
            if case .description = try request.target() {
                return .response(try planner.description(request, self.description(of: cache)))
            }
            return .query(try planner.plan(request, role: caller.role))
        }
        let proceed: @Sendable (Result<Step, APIError>) -> Void = { result in
            switch result {
            case .success(.query(let plan)):
                // It is planned, so there is something of this name: it is no text of the client's.
                if let name = request.segments.last { named(name) }
                self.execute(plan, request, caller, deadline, cancellation, finish)
            case .success(.response(let response)): finish(.success(response))
            case .failure(let error): finish(.failure(error))
            }
        }
        if let known = self.schema.plan(make) { return proceed(known) }
        self.schema.planAfresh(make, proceed)
    }

    /// The text for the root, made once for each load of the schema: it is long.
    private func description(of cache: SchemaCache) -> [UInt8] {
        let generation = self.schema.generation
        return self.described.withLock { described in
            if let described, described.generation == generation { return described.bytes }
            let description = OpenAPIDescription(
                cache, basePath: self.configuration.prefix, version: Version.current)
            let bytes = description.bytes
            described = Description(generation: generation, bytes: bytes)
            return bytes
        }
    }

    private func execute(
        _ plan: GatewayPlan, _ request: GatewayRequest, _ caller: GatewayCaller, _ deadline: ContinuousClock.Instant,
        _ cancellation: PoolCancellation?, _ finish: @escaping Finish
    ) {
        let transaction = Transaction(
            [
                GatewayStatements.settings(request, caller, schema: self.schema.name, self.configuration),
                GatewayStatements.query(plan, caller, self.configuration),
            ],
            mode: plan.isReadOnly ? .readOnly : .readWrite,
            timeout: max(.milliseconds(1), deadline - .now), contention: plan.conversation,
            contentionTable: "conversation", lane: plan.isReadOnly ? .reading : .prompt, owner: caller.owner)
        // A change that was asked for is made, whether somebody still listens or not.
        self.pool.submit(transaction, cancellation: plan.isReadOnly ? cancellation : nil) { result in
            switch result {
            case .failure(let error):
                if error.hintsAtStaleSchema { self.schema.refresh { _ in } }
                finish(.failure(APIError(error, authenticated: caller.isAuthenticated)))
            case .success(let results):
                guard let row = results.last?.rows.first else { return finish(.failure(.unexpected)) }
                let columns = (0..<row.count).map { row[$0] }
                if let refusal = GatewayStatements.refusal(plan, columns, self.configuration) {
                    return finish(.failure(refusal))
                }
                do throws(APIError) {
                    finish(.success(try plan.response(columns)))
                } catch {
                    finish(.failure(error))
                }
            }
        }
    }

    // MARK: - HTTP

    private static func http(_ response: GatewayResponse) -> HTTPResponse {
        HTTPResponse(
            status: response.status,
            headers: response.headers.map { ($0.name, $0.value) } + CrossOrigin.headers,
            body: response.body)
    }
}

extension Result where Success == GatewayResponse, Failure == APIError {
    fileprivate var status: Int {
        switch self {
        case .success(let response): response.status
        case .failure(let error): error.status
        }
    }
}
