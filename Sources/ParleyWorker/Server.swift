internal import Crypto
internal import ParleyCore
internal import PostgresClient
public import Support
internal import WebServer

/// The worker as a whole: verifies tokens, tails the log, serves sockets and HTTP, until it is asked to stop.
///
/// - Parameters:
///   - logFolder: where `log` writes, if that is a folder; old files in it are deleted.
///   - stops: yields when the process should stop; a second time cuts the drain short.
///   - demoUsers: makes the JSON of users whom anybody at this machine may be; nil for none.
///   - ready: called once the port is bound and the log is read, with the address it is served at.
/// - Throws: when it cannot start, or the first failure of a service.
public func runServer(
    _ configuration: ServeConfiguration, log: Log, logFolder: LogFolder? = nil, stops: AsyncStream<Void>,
    demoUsers: (@Sendable () -> [UInt8])? = nil,
    ready: @escaping @Sendable (_ url: String) -> Void = { _ in }
) async throws {
    let verifier = try await TokenVerifier.make(configuration, log: log)
    let providers = try configuration.push.map { try PushSettings.load($0) }
    let web = try configuration.web.map { folder throws(ConfigurationError) in
        WebRoutes(try WebTree(folder), demo: demoUsers.map { DemoUsers(json: $0) })
    }
    let handler = WorkerHandler()
    let server = try WebServer(configuration.server, handler: handler, log: log.labelled("web"))
    do {
        // Before anything else runs, so that a start which cannot succeed leaves nothing behind.
        try listen(server)
    } catch {
        await server.shutdown()
        throw error
    }
    let nudge = PostgresConnection.Nudge()
    let refusals = RefusalRecorder(log: log.labelled("spam"))
    let pool = PostgresPool(
        configuration.postgres("parley pool"), size: configuration.databasePoolSize,
        maxQueued: configuration.databaseQueueSize, log: log.labelled("pool"), committed: { nudge.nudge() },
        refused: { refusals.refused($0, $1) })
    refusals.use(pool)
    let schema = SchemaCacheStore(pool: pool, log: log.labelled("schema"))
    let limiter = UserLimiter(pool: pool, log: log.labelled("limits"))
    let ids = LogIDs()
    let access = AccessLog(
        percent: configuration.accessLogPercent, slow: configuration.slowRequest, ids: ids,
        log: log.labelled("access"))
    let realtime = RealtimeService(
        loop: server.loop, pool: pool, schema: schema, configuration: configuration.realtime,
        verify: verifier.sessionToken, limiter: limiter, access: access, log: log.labelled("realtime"))
    let push = providers.map { settings in
        PushService(
            settings, configuration, waiting: { realtime.longestWait }, log: log.labelled("push"))
    }
    let gateway = Gateway(
        configuration.gateway, pool: pool, schema: schema,
        authenticate: { token throws(JWTError) in try verifier.verify(token) }, limiter: limiter,
        access: access, log: log.labelled("gateway"))
    let readiness = Readiness()
    let health = HealthRoutes { readiness.problems }
    let metrics = MetricsRoute(
        isAllowed: { (try? verifier.verify($0))?.role == SessionToken.serviceRole },
        sources: push.map { push in [{ push.metrics.text() }] } ?? [])
    var routes: [HTTPRouter.Route] = [health.handle, metrics.handle, gateway.handle, realtime.handleBroadcast]
    if let web { routes.append(web.handle) }
    handler.connect(HTTPRouter(routes), realtime)

    do {
        try server.start()
    } catch {
        await server.shutdown()
        await push?.shutdown()
        await pool.shutdown()
        throw error
    }
    realtime.start()
    let scheme = configuration.tlsCertificate == nil ? "http" : "https"
    let url = "\(scheme)://\(configuration.host):\(server.port)"
    log.info("listening", [("url", url)])

    let reader = EventTail(
        configuration.tail, workerName: url, version: Version.current, pollOnly: configuration.pollOnly,
        nudge: nudge, log: log.labelled("tail"),
        deliver: { batch in
            push?.nudge(batch.events)
            await realtime.apply(batch.events, cursor: batch.cursor)
        },
        registered: { id in push?.registered(id) },
        // Through the loop's mailbox, so that they take effect in their order, before the batches that follow.
        epochChanged: { realtime.onLoop { $0.epochChanged() } },
        state: { state in
            let change = readiness.set(state.isLive)
            guard change != .none else { return }
            if state.isLive { schema.reload() }
            realtime.onLoop { realtime in
                realtime.tailChanged(isLive: state.isLive)
                if change == .firstLive { ready(url) }
            }
        },
        trouble: { readiness.note(DatabaseTrouble($0)) })
    let exports = configuration.exportFolder.map {
        ExportWriter(pool: pool, folder: $0, log: log.labelled("exports"))
    }
    let upkeep: [any Service] =
        [
            JobRunner(pool: pool, log: log.labelled("jobs")), SpamChecker(pool: pool, log: log.labelled("spam")),
            LogKeeper(pool: pool, ids: ids, folder: logFolder, log: log.labelled("logs")),
        ] + (exports.map { [$0] } ?? []) + (push?.services ?? [])
    let group = ServiceGroup(
        [verifier, reader, refusals] + upkeep + [
            WebService(server: server, realtime: realtime, drainTime: configuration.drainTime)
        ],
        drainTime: configuration.drainTime + .seconds(5), log: log)
    do {
        try await group.run(stops: stops)
    } catch {
        await server.shutdown()
        await push?.shutdown()
        await pool.shutdown()
        throw error
    }
    await server.shutdown()
    await push?.shutdown()
    await pool.shutdown()
}

/// Takes the address and the certificate; one that cannot be used is told as the setting it comes from.
private func listen(_ server: WebServer) throws {
    do {
        try server.bind()
    } catch {
        let setting =
            switch error.code {
            case .addressUnusable: "--host (PARLEY_HOST) and --port (PARLEY_PORT)"
            case .certificateUnusable: "--tls-cert (PARLEY_TLS_CERT) and --tls-key (PARLEY_TLS_KEY)"
            default: throw error
            }
        throw ConfigurationError(.invalid, setting: setting, error.message)
    }
}
