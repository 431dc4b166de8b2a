public import Support

/// An HTTP/1.1 and WebSocket server on one event loop.
///
/// Made, then started, then shut down, once each. Its loop runs from `init` on, so actors can be pinned to it before
/// it listens.
public final class WebServer: Sendable {
    public let loop: EventLoop
    private let core: LoopBound<ServerCore>
    private let closeTimeout: Duration
    private let sweep: Duration
    private let boundPort = Locked(0)

    /// - Throws: ``WebServerError`` when the loop cannot be made.
    public init(_ configuration: ServerConfiguration, handler: any ServerHandler, log: Log) throws(WebServerError) {
        self.loop = try EventLoop(tls: configuration.tls != nil)
        let core = ServerCore(configuration: configuration, handler: handler, loop: self.loop, log: log)
        self.closeTimeout = configuration.closeTimeout
        self.sweep = core.limits.sweep
        self.core = LoopBound(core, thread: self.loop.thread)
    }

    /// Takes the address and reads the certificate; connections wait until ``start()``. Once it has thrown, the server is
    /// good for ``shutdown()`` only.
    /// - Throws: ``WebServerError`` when the address or certificate cannot be used.
    public func bind() throws(WebServerError) {
        let port = try self.onLoop { core throws(WebServerError) in try core.bind() }
        self.boundPort.withLock { $0 = port }
    }

    /// Serves, after ``bind()`` if that was not called before. Returns when connections are accepted.
    /// - Throws: ``WebServerError`` as ``bind()``, or on a second call.
    public func start() throws(WebServerError) {
        if self.port == 0 { try self.bind() }
        try self.onLoop { core throws(WebServerError) in try core.start() }
        let core = self.core
        self.loop.schedule(every: self.sweep) { core.onLoop.sweep() }
    }

    private func onLoop<Value: Sendable>(
        _ work: @escaping @Sendable (ServerCore) throws(WebServerError) -> Value
    ) throws(WebServerError) -> Value {
        let core = self.core
        return try self.loop.wait { () -> Result<Value, WebServerError> in
            do throws(WebServerError) { return .success(try work(core.onLoop)) } catch { return .failure(error) }
        }.get()
    }

    /// The port that is listened on; 0 before ``bind()``.
    public var port: Int { self.boundPort.withLock { $0 } }

    /// Open connections, of either protocol. Loop thread only.
    public var connectionCount: Int { self.core.onLoop.connectionCount }

    /// What answers, sockets and unfinished requests hold. Loop thread only.
    public var heldBytes: Int { self.core.onLoop.held.total }

    /// Closes the listening socket and idle connections. Open sockets stay; new upgrades are refused with 503.
    public func stopAccepting() {
        let core = self.core
        self.loop.execute { core.onLoop.stopAccepting() }
    }

    /// Closes every open socket, `batch` of them every `interval`, so that the clients do not come back all at once.
    /// Returns when the last close frame is queued. Call ``stopAccepting()`` before.
    public func closeSockets(code: UInt16, reason: String, batch: Int, interval: Duration) async {
        let core = self.core
        while true {
            let closed = await withCheckedContinuation { continuation in
                self.loop.execute {
                    continuation.resume(returning: core.onLoop.closeSockets(batch, code: code, reason: reason))
                }
            }
            guard closed == batch else { return }
            try? await Task.sleep(for: interval)
        }
    }

    /// Closes everything: open sockets with 1012 ("service restart"), the rest after what they are sending; whoever
    /// does not take it in within `closeTimeout` is cut off. Returns when the loop has left its context; work and
    /// actors on the loop still run.
    public func shutdown() async {
        let core = self.core
        let loop = self.loop
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            loop.execute {
                core.onLoop.stopAccepting()
                _ = core.onLoop.closeSockets(.max, code: 1012, reason: "service restart")
                core.onLoop.whenEmpty { continuation.resume() }
            }
            // Twice the time for both halves of a close, then no more waiting.
            loop.schedule(after: self.closeTimeout * 2) { core.onLoop.killAll() }
        }
        await loop.shutdown()
        loop.execute { core.onLoop.retire() }
    }
}
