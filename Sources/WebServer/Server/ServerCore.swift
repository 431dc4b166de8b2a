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
        }

        /// How often deadlines are looked at: a second, or finer when a limit is short.
        var sweep: Duration {
            let shortest = [self.idle, self.header, self.body, self.response, self.close].min() ?? 1000
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

    private var connections: ContiguousArray<Connection> = []
    private(set) var isStopping = false
    private var nextSocketID: UInt64 = 1
    private var emptied: [() -> Void] = []
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: LoopLimits.writeBytes, alignment: 16)
    private var vhost: VirtualHost?
    private var listener: Listener?

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
        self.readClock()
    }

    deinit { self.scratch.deallocate() }

    // MARK: - Start

    /// Listens. - Returns: the port.
    func start() throws(WebServerError) -> Int {
        guard self.listener == nil, !self.isStopping, let context = self.loop.context.pointer else {
            throw WebServerError(.alreadyStarted, "the server was started or shut down before")
        }
        let vhost = try VirtualHost(in: context, tls: self.configuration.tls)
        let listener = try Listener(host: self.configuration.host, port: self.configuration.port, server: self)
        guard vhost.adopt(listener) else {
            throw WebServerError(.loopFailed, "the event loop has no room for a listening socket")
        }
        self.vhost = vhost
        self.listener = listener
        // The loop's context keeps the server from now until the context is destroyed: lws holds pointers into it.
        self.loop.context.atTurnEnd { self.endTurn() }
        return listener.port
    }

    // MARK: - Connections

    var isFull: Bool { self.connections.count >= self.configuration.maxConnections }
    var connectionCount: Int { self.connections.count }
    var usesTLS: Bool { self.configuration.tls != nil }

    /// Takes over an accepted descriptor.
    func admit(_ descriptor: Int32, peer: String) {
        self.readClock()
        let connection = Connection(server: self, peer: peer)
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
            } else {
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
        // Backwards: an expired connection may be removed, which moves the last one into its place.
        for index in self.connections.indices.reversed() where self.connections[index].deadline <= self.now {
            self.connections[index].expire()
        }
    }

    private func readClock() {
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
