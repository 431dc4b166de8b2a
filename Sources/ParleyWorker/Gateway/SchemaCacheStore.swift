internal import ParleyCore
internal import PostgresClient
internal import Support

/// The schema cache, shared by all requests, and when to load it again.
///
/// The cache is replaced as a whole. Loads never overlap, and those that requests cause by asking for something unknown
/// begin at least `interval` apart, so that guessing names costs the database nothing.
final class SchemaCacheStore: Sendable {
    typealias Load = @Sendable (@escaping @Sendable (SchemaCache?) -> Void) -> Void

    private struct State {
        var cache: SchemaCache?
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

    private let load: Load
    private let interval: Duration
    private let state = Locked(State())

    /// - Parameter load: reads the catalog and answers nil when that failed; any thread.
    init(interval: Duration, load: @escaping Load) {
        self.interval = interval
        self.load = load
    }

    /// Nil until a load has succeeded.
    var current: SchemaCache? { self.state.withLock { $0.cache } }

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

    private func finish(_ loaded: SchemaCache?) {
        let (cache, waiters) = self.state.withLock { state in
            state.isLoading = false
            // A failed load leaves the cache there was: what it lists is most likely still there.
            if let loaded { state.cache = loaded }
            defer { state.waiters = [] }
            return (state.cache, state.waiters)
        }
        for waiter in waiters { waiter(cache) }
    }
}

extension SchemaCacheStore {
    /// A store that reads the catalog of a database through `pool`.
    convenience init(pool: PostgresPool, configuration: GatewayConfiguration, log: Log) {
        let schema = configuration.schema
        self.init(interval: configuration.reloadInterval) { done in
            let transaction = Transaction(
                [
                    Statement(SchemaCache.CatalogQuery.preparation),
                    Statement(SchemaCache.CatalogQuery.relations, [schema]),
                    Statement(SchemaCache.CatalogQuery.functions, [schema]),
                ], mode: .repeatableReadOnly, lane: .upkeep)
            pool.submit(transaction) { result in
                switch result {
                case .success(let sets):
                    let rows = sets.dropFirst().map { set in set.rows.map(Self.values) }
                    let cache = SchemaCache(schema: schema, relationRows: rows[0], functionRows: rows[1])
                    log.info(
                        "schema cache loaded",
                        [("relations", String(cache.relations.count)), ("functions", String(cache.functions.count))])
                    // A schema without anything in it is one that was not migrated yet.
                    done(cache.isEmpty ? nil : cache)
                case .failure(let error):
                    log.warning(
                        "schema cache not loaded", [("error", "\(error.code)"), ("sqlstate", error.sqlState ?? "")])
                    done(nil)
                }
            }
        }
    }

    private static func values(_ row: Row) -> [String?] { (0..<row.count).map { row.string($0) } }
}
