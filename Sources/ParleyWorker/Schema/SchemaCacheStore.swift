internal import ParleyCore
internal import PostgresClient
internal import Support

/// The schema cache and the names of the server's events, shared by requests and sockets, and when to load them again.
///
/// The cache is replaced as a whole. Loads never overlap, and those that requests cause by asking for something unknown
/// begin at least `interval` apart, so that guessing names costs the database nothing.
public final class SchemaCacheStore: Sendable {
    typealias Load = @Sendable (@escaping @Sendable (LoadedSchema?) -> Void) -> Void

    private struct State {
        var loaded: LoadedSchema?
        var cache: SchemaCache? { self.loaded?.cache }
        var generation = 0
        /// When the last load began.
        var begun: ContinuousClock.Instant?
        var isLoading = false
        var waiters: [@Sendable (SchemaCache?) -> Void] = []
    }

    private enum Decision {
        case answer(SchemaCache?)
        case wait
        case load
    }

    /// Requests that may wait for a load under way; one more goes on with the cache there is.
    private static let maxWaiters = 4_096

    /// The name of the exposed schema.
    let name: String
    private let load: Load
    private let interval: Duration
    private let state = Locked(State())

    /// - Parameters:
    ///   - name: of the exposed schema.
    ///   - interval: the shortest time between two loads because of a function or view that the cache does not know.
    ///   - load: reads the catalog and answers nil when that failed; any thread.
    init(name: String, interval: Duration, load: @escaping Load) {
        self.name = name
        self.interval = interval
        self.load = load
    }

    /// Nil until a load has succeeded.
    var current: SchemaCache? { self.state.withLock { $0.cache } }

    /// The names of the server's events; nil until a load has succeeded.
    var reserved: ReservedEvents? { self.state.withLock { $0.loaded?.reserved } }

    /// The number of the cache: another one may have other content.
    var generation: Int { self.state.withLock { $0.generation } }

    /// Loads again unless that was done within the interval (or at once if `force`), then calls `body` with the cache,
    /// which is nil when none was ever loaded. `body` may be called before this returns.
    func refresh(force: Bool = false, then body: @escaping @Sendable (SchemaCache?) -> Void) {
        let now = ContinuousClock.now
        let interval = self.interval
        let decision = self.state.withLock { state -> Decision in
            if state.isLoading {
                guard state.waiters.count < Self.maxWaiters else { return .answer(state.cache) }
                state.waiters.append(body)
                return .wait
            }
            if !force, let begun = state.begun, now - begun < interval { return .answer(state.cache) }
            state.isLoading = true
            state.begun = now
            state.waiters.append(body)
            return .load
        }
        switch decision {
        case .wait: break
        case .answer(let cache): body(cache)
        case .load: self.load { self.finish($0) }
        }
    }

    /// Makes a plan by a schema cache, or says why there can be none.
    typealias Make<Plan> = @Sendable (SchemaCache) throws(APIError) -> Plan

    /// Plans by the cache there is; nil when only a newer one can tell.
    func plan<Plan>(_ make: (SchemaCache) throws(APIError) -> Plan) -> Result<Plan, APIError>? {
        guard let cache = self.current else { return nil }
        do throws(APIError) {
            return .success(try make(cache))
        } catch {
            return error.mayBeStale ? nil : .failure(error)
        }
    }

    /// Loads the cache again, if that is due, and plans by it. `done` is called once, on any thread, possibly before this
    /// returns.
    func planAfresh<Plan>(_ make: @escaping Make<Plan>, _ done: @escaping @Sendable (Result<Plan, APIError>) -> Void) {
        self.refresh { cache in
            guard let cache else { return done(.failure(.noSchemaCache)) }
            do throws(APIError) {
                done(.success(try make(cache)))
            } catch {
                done(.failure(error))
            }
        }
    }

    private func finish(_ loaded: LoadedSchema?) {
        let (cache, waiters) = self.state.withLock { state in
            state.isLoading = false
            // A failed load leaves the cache there was: what it lists is most likely still there.
            if let loaded {
                state.loaded = loaded
                state.generation += 1
                state.loaded?.cache.generation = state.generation
            }
            defer { state.waiters = [] }
            return (state.cache, state.waiters)
        }
        for waiter in waiters { waiter(cache) }
    }
}

extension SchemaCacheStore {
    /// A store that reads the catalog of a database through `pool`.
    convenience init(
        pool: PostgresPool, name schema: String = "parley_api", interval: Duration = .seconds(2), log: Log
    ) {
        self.init(name: schema, interval: interval) { done in
            let transaction = Transaction(
                [
                    Statement(SchemaCache.CatalogQuery.preparation),
                    Statement(SchemaCache.CatalogQuery.schema, [schema]),
                    Statement(SchemaCache.CatalogQuery.relations, [schema]),
                    Statement(SchemaCache.CatalogQuery.functions, [schema]),
                    Statement("select name from parley.event_kinds()"),
                    Statement(SchemaCache.CatalogQuery.grants, [schema, APIRoles.all.sorted().joined(separator: ",")]),
                ], mode: .repeatableReadOnly, timeout: AnswerTime.longest, lane: .upkeep)
            pool.submit(transaction) { result in
                switch result {
                case .success(let sets):
                    let rows = sets.dropFirst().map { set in set.rows.map(Self.values) }
                    var cache = SchemaCache(
                        schema: schema, comment: rows[0].first?[0], relationRows: rows[1], functionRows: rows[2])
                    cache.grants = SchemaCache.grants(rows[4], roles: APIRoles.all.sorted())
                    log.info(
                        "schema cache loaded",
                        [("relations", String(cache.relations.count)), ("functions", String(cache.functions.count))])
                    // A schema without anything in it is one that was not migrated yet.
                    let reserved = ReservedEvents(rows[3].compactMap { $0[0] })
                    done(cache.isEmpty ? nil : LoadedSchema(cache: cache, reserved: reserved))
                case .failure(let error):
                    log.warning(
                        "schema cache not loaded", [("error", "\(error.code)"), ("sqlstate", error.sqlState ?? "")])
                    done(nil)
                }
            }
        }
    }

    /// Reads the schema at start, and whenever the database is back after it was away, since it may have been upgraded
    /// meanwhile. Returns at once.
    func reload() { self.refresh(force: true) { _ in } }

    private static func values(_ row: Row) -> [String?] { (0..<row.count).map { row.string($0) } }
}
