internal import Crypto
internal import FoundationEssentials
internal import ParleyCore
internal import PostgresClient
public import Support
internal import WebServer

/// The worker as a whole: verifies tokens, tails the log, serves sockets and HTTP, until it is asked to stop.
///
/// - Parameters:
///   - stops: yields when the process should stop; a second time cuts the drain short.
///   - ready: called once the port is bound and the log is read, with the address it is served at.
/// - Throws: when it cannot start, or the first failure of a service.
public func runServer(
    _ configuration: ServeConfiguration, log: Log, stops: AsyncStream<Void>,
    ready: @escaping @Sendable (_ url: String) -> Void = { _ in }
) async throws {
    let verifier = try await TokenVerifier.make(configuration, log: log)
    let front = FrontDoor()
    let server = try WebServer(configuration.server, handler: front, log: log.labelled("web"))
    do {
        // Before anything else runs, so that a start which cannot succeed leaves nothing behind.
        try listen(server)
    } catch {
        await server.shutdown()
        throw error
    }
    let pool = PostgresPool(
        configuration.postgres("parley pool"), size: configuration.databasePoolSize,
        maxQueued: configuration.databaseQueueSize, log: log.labelled("pool"))
    let realtime = RealtimeService(
        loop: server.loop, pool: pool, configuration: configuration.realtime, verify: verifier.sessionToken,
        log: log.labelled("realtime"))
    let gateway = Gateway(
        configuration.gateway, pool: pool,
        authenticate: { token throws(JWTError) in try verifier.verify(token) }, log: log.labelled("gateway"))
    let readiness = Readiness()
    let health = HealthRoutes { readiness.isLive ? [] : ["the log of the database cannot be read"] }
    front.open(HTTPRouter([health.handle, gateway.handle, realtime.handleBroadcast]), realtime)

    do {
        try server.start()
    } catch {
        await server.shutdown()
        await pool.shutdown()
        throw error
    }
    realtime.start()
    let scheme = configuration.tlsCertificate == nil ? "http" : "https"
    let url = "\(scheme)://\(configuration.host):\(server.port)"
    log.info("listening", [("url", url)])

    let reader = EventTail(
        configuration.tail, workerName: url, version: Version.current, pollOnly: configuration.pollOnly,
        log: log.labelled("tail"),
        deliver: { batch in await realtime.apply(batch.events, cursor: batch.cursor) },
        // Through the loop's mailbox, so that they take effect in their order, before the batches that follow.
        epochChanged: { realtime.onLoop { $0.epochChanged() } },
        state: { state in
            let change = readiness.set(state.isLive)
            guard change != .none else { return }
            if state.isLive { gateway.reloadSchema() }
            realtime.onLoop { realtime in
                realtime.tailChanged(isLive: state.isLive)
                if change == .firstLive { ready(url) }
            }
        })
    let group = ServiceGroup(
        [
            verifier, reader, JobRunner(pool: pool, log: log.labelled("jobs")),
            Front(server: server, realtime: realtime, drainTime: configuration.drainTime),
        ],
        drainTime: configuration.drainTime + .seconds(5), log: log)
    do {
        try await group.run(stops: stops)
    } catch {
        await server.shutdown()
        await pool.shutdown()
        throw error
    }
    await server.shutdown()
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

/// Whether the log is being read, as the health endpoint tells.
private final class Readiness: Sendable {
    private struct State {
        var isLive = false
        var wasLive = false
    }
    private let state = Locked(State())

    var isLive: Bool { self.state.withLock { $0.isLive } }

    enum Change { case none, live, firstLive, lost }

    func set(_ isLive: Bool) -> Change {
        self.state.withLock { state in
            guard state.isLive != isLive else { return .none }
            state.isLive = isLive
            defer { state.wasLive = state.wasLive || isLive }
            return isLive ? (state.wasLive ? .live : .firstLive) : .lost
        }
    }
}

/// The sockets as a service: serving needs no task of its own, draining closes them evenly.
private struct Front: Service {
    let name = "front"
    let server: WebServer
    let realtime: RealtimeService
    let drainTime: Duration

    func run() async throws {
        // Ends when cancelled: what serves is the event loop.
        while true { try await Task.sleep(for: .seconds(3600)) }
    }

    func drain() async {
        self.server.stopAccepting()
        await self.realtime.drain(over: self.drainTime / 2, atMost: self.drainTime)
    }
}

extension TokenVerifier {
    /// Verification in the shape the realtime service takes, its refusals in the words of the protocol.
    var sessionToken: RealtimeService.Verify {
        { token, now in
            do throws(JWTError) {
                let verified = try self.verify(token, now: now)
                return .success(
                    SessionToken(
                        subject: verified.subject.flatMap(UUID.init(uuidString:)), role: verified.role,
                        expiresAt: verified.expiresAt, issuedAt: verified.issuedAt, claims: verified.claimsJSON,
                        fingerprint: SessionToken.fingerprint(of: token)))
            } catch {
                return .failure(
                    TokenRefusal(
                        upgradeText: error.handshakeText, systemText: error.message, joinReason: error.joinReason))
            }
        }
    }
}
