internal import CWebSockets
internal import Glibc
internal import Support

/// The loop-confined half of a ``WebServer``: its connections, and what is due at the end of a turn.
final class ServerCore {
    /// The configured durations in milliseconds.
    struct Limits {
        let idle: Int64
        let header: Int64
        let body: Int64
        let response: Int64
        let close: Int64
        let ping: Int64
        let attentivePing: Int64
        let establish: Int64
        let keepAlive: Int64
        let stall: Int64

        init(_ configuration: ServerConfiguration) {
            func milliseconds(_ duration: Duration) -> Int64 {
                let (seconds, attoseconds) = duration.components
                return seconds * 1000 + attoseconds / 1_000_000_000_000_000
            }
            self.idle = milliseconds(configuration.idleTimeout)
            self.header = milliseconds(configuration.headerTimeout)
            self.body = milliseconds(configuration.bodyTimeout)
            self.response = milliseconds(configuration.responseTimeout)
            self.close = milliseconds(configuration.closeTimeout)
            self.ping = milliseconds(configuration.pingInterval)
            self.attentivePing = milliseconds(configuration.attentivePingInterval)
            self.establish = milliseconds(configuration.establishTimeout)
            self.keepAlive = milliseconds(configuration.keepAliveTimeout)
            self.stall = milliseconds(configuration.stallTimeout)
        }

        /// How often deadlines are looked at: a second, or finer when a limit is short.
        var sweep: Duration {
            let shortest =
                [
                    self.idle, self.header, self.body, self.response, self.close, self.ping, self.attentivePing,
                    self.establish, self.keepAlive,
                ].min() ?? 1000
            return .milliseconds(max(5, min(1000, shortest / 4)))
        }
    }

    let configuration: ServerConfiguration
    let limits: Limits
    let loop: EventLoop
    let log: Log
    /// Nil after shutdown: the handler often owns the server.
    private(set) var handler: (any ServerHandler)?

    /// Milliseconds of the monotonic clock, read once per turn.
    private(set) var now: Int64 = monotonicMilliseconds()
    /// The current date header.
    private(set) var date = ""
    private var dateSecond: time_t = 0

    var connections: ContiguousArray<Connection> = []
    var admission: Admission
    /// Connections beyond the limits, the oldest first: they are read to see whether they ask for a path always served.
    var annex: [Connection] = []
    var held: HeldBytes
    let transit: AnswersInTransit
    /// Milliseconds of the last relief, and what was closed or refused since the last line of the log about it.
    var relievedAt: Int64 = 0
    var refusals = RefusalCounts()
    private(set) var isStopping = false
    private var nextSocketID: UInt64 = 1
    private var emptied: [() -> Void] = []
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: LoopLimits.writeBytes, alignment: 16)
    private var vhost: VirtualHost?
    private var listener: Listener?
    private var isServing = false

    // What is due at the end of the turn.
    var dirty: ContiguousArray<Connection> = []
    var doomed: [Connection] = []
    var resumable: [Connection] = []
    var closedSockets: [WebSocket] = []

    init(configuration: ServerConfiguration, handler: any ServerHandler, loop: EventLoop, log: Log) {
        self.configuration = configuration
        self.limits = Limits(configuration)
        self.handler = handler
        self.loop = loop
        self.log = log
        self.admission = Admission(
            .init(
                connections: configuration.maxConnections, reserved: configuration.reservedConnections,
                perAddress: configuration.maxConnectionsPerAddress, perKey: configuration.maxConnectionsPerUser))
        self.held = HeldBytes(ceiling: configuration.maxHeldBytes)
        self.transit = AnswersInTransit(ceiling: configuration.maxHeldBytes / 4)
        self.readClock()
    }

    deinit { self.scratch.deallocate() }

    // MARK: - Start

    /// Takes the address and makes the virtual host. - Returns: the port.
    func bind() throws(WebServerError) -> Int {
        guard self.vhost == nil, !self.isStopping, let context = self.loop.context.pointer else {
            throw WebServerError(.alreadyStarted, "the server was started or shut down before")
        }
        let listener = try Listener(host: self.configuration.host, port: self.configuration.port, server: self)
        let vhost = VirtualHost(tls: self.configuration.tls)
        self.vhost = vhost
        // The loop's context keeps the server from now until the context is destroyed, even if what follows fails: lws
        // holds pointers into it.
        self.loop.context.atTurnEnd { self.endTurn() }
        try vhost.open(in: context)
        self.listener = listener
        return listener.port
    }

    /// Accepts connections.
    func start() throws(WebServerError) {
        guard let listener, !self.isServing else {
            throw WebServerError(.alreadyStarted, "the server was started or shut down before")
        }
        guard self.vhost?.adopt(listener) == true else {
            throw WebServerError(.loopFailed, "the event loop has no room for a listening socket")
        }
        self.isServing = true
    }

    // MARK: - Connections

    var connectionCount: Int { self.connections.count }

    /// Takes over an accepted descriptor, as a guest or to be turned away.
    func admit(_ descriptor: Int32, peer: PeerAddress) {
        self.readClock()
        let connection = Connection(server: self, peer: peer.text)
        self.seat(connection, peer.group)
        connection.slot = self.connections.count
        self.connections.append(connection)
        // On failure lws has closed the descriptor, and may or may not have called back.
        if self.vhost?.adopt(connection, descriptor: descriptor) != true { connection.gone() }
    }

    func remove(_ connection: Connection) {
        guard connection.slot < self.connections.count, self.connections[connection.slot] === connection else { return }
        let last = self.connections.removeLast()
        if last !== connection {
            self.connections[connection.slot] = last
            last.slot = connection.slot
        }
        guard self.connections.isEmpty else { return }
        for work in self.emptied { work() }
        self.emptied = []
    }

    func makeSocket(_ connection: Connection, context: AnyObject) -> WebSocket {
        defer { self.nextSocketID += 1 }
        return WebSocket(id: self.nextSocketID, connection: connection, context: context, thread: self.loop.thread)
    }

    // MARK: - Callbacks of lws

    func received(_ connection: Connection, _ input: UnsafeRawBufferPointer) {
        self.readClock()
        connection.receive(input)
    }

    func writable(_ connection: Connection) { connection.becameWritable(self.scratch) }

    // MARK: - Turns and time

    /// Tells, resumes, writes and closes, until nothing is due. What one step causes is done in the same turn.
    private func endTurn() {
        self.readClock()
        while true {
            if !self.closedSockets.isEmpty {
                let sockets = take(&self.closedSockets)
                for socket in sockets {
                    self.handler?.closed(socket)
                    socket.releaseContext()
                }
            } else if !self.resumable.isEmpty {
                for connection in take(&self.resumable) { connection.resume() }
            } else if !self.dirty.isEmpty {
                self.flushDirty()
            } else if !self.doomed.isEmpty {
                for connection in take(&self.doomed) { if let wsi = connection.wsi { cws_close_now(wsi) } }
            } else if !self.relieveWhenDue() {
                return
            }
        }
    }

    private func flushDirty() {
        var connections = take(&self.dirty)
        for connection in connections { connection.flush(self.scratch) }
        guard self.dirty.isEmpty, connections.count <= 4096 else { return }
        connections.removeAll(keepingCapacity: true)
        self.dirty = connections
    }

    /// Looks at every deadline. Called by a timer.
    func sweep() {
        self.readClock()
        self.reportRefusals()
        // Backwards: an expired connection may be removed, which moves the last one into its place.
        for index in self.connections.indices.reversed() where self.connections[index].deadline <= self.now {
            self.connections[index].expire()
        }
    }

    func readClock() {
        self.now = monotonicMilliseconds()
        let second = time(nil)
        guard second != self.dateSecond else { return }
        self.dateSecond = second
        self.date = ResponseEncoder.date(second)
    }

    // MARK: - Stop

    /// Closes the listening socket and the connections that do nothing; the others close after their next response.
    func stopAccepting() {
        guard !self.isStopping else { return }
        self.isStopping = true
        self.listener?.close()
        self.listener = nil
        for connection in self.connections where connection.isIdleHTTP { connection.kill() }
    }

    /// Closes up to `count` open sockets. - Returns: how many were closed.
    func closeSockets(_ count: Int, code: UInt16, reason: String) -> Int {
        var closed = 0
        for connection in self.connections where connection.phase == .webSocket {
            guard closed < count else { break }
            connection.closeSocket(code: code, reason: reason)
            closed += 1
        }
        return closed
    }

    func killAll() { for connection in self.connections { connection.kill() } }

    func whenEmpty(_ work: @escaping () -> Void) {
        if self.connections.isEmpty { work() } else { self.emptied.append(work) }
    }

    /// After the context is gone.
    func retire() { self.handler = nil }
}

private func take<Elements: RangeReplaceableCollection>(_ elements: inout Elements) -> Elements {
    let taken = elements
    elements = Elements()
    return taken
}

func monotonicMilliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
}
