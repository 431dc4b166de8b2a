internal import ParleyCore
internal import PostgresClient
internal import Support
public import WebServer

/// The socket half of `ServerHandler`: every call comes on the loop's thread.
extension RealtimeService {
    /// Decides on a request to become a WebSocket: path, serializer, key, then limits.
    public nonisolated func upgrade(_ request: HTTPRequest) -> UpgradeDecision {
        self.assumeIsolated { $0.admit(request) }
    }

    /// A socket was opened with the context that `upgrade` gave.
    public nonisolated func opened(_ socket: WebSocket) { self.assumeIsolated { $0.open(socket) } }

    public nonisolated func received(_ socket: WebSocket, _ message: SocketMessage) {
        self.assumeIsolated { $0.receive(socket, message) }
    }

    public nonisolated func closed(_ socket: WebSocket) { self.assumeIsolated { $0.close(socket) } }

    private func admit(_ request: HTTPRequest) -> UpgradeDecision {
        func refuse(_ refusal: UpgradeCheck.Refusal) -> UpgradeDecision {
            .refuse(UpgradeCheck.response(refusal))
        }
        guard UpgradeCheck.paths.contains(request.path) else { return refuse(.notFound) }
        guard let version = UpgradeCheck.version(request) else { return refuse(.version) }
        guard let key = UpgradeCheck.key(request) else { return refuse(.noKey) }
        // A join would be refused at once, and stock clients wait longer after that than after a refused upgrade.
        guard self.wasLive else { return refuse(.starting) }
        guard !self.draining else { return refuse(.restarting) }
        // Load is shed here, before the socket exists: one stock client comes back at once after any close.
        guard self.connections.count < self.configuration.maxConnections else { return refuse(.tooManyConnections) }
        guard self.upgrades.take(now: Clock.steadyNanoseconds()) else { return refuse(.tooManyUpgrades) }
        switch self.verify(key, self.clock() / 1000) {
        case .failure(let refusal): return refuse(.token(refusal))
        case .success(let token):
            return .accept(context: Handshake(version: version, token: self.keys.shared(token)))
        }
    }

    private func open(_ socket: WebSocket) {
        guard let handshake = socket.context as? Handshake else {
            socket.close(code: 1011, reason: "no handshake")
            return
        }
        let context = self.context()
        let connection = self.connections.insert { slot, lastSerial in
            SocketConnection(
                socket: socket, slot: slot,
                session: SocketSession(
                    slot: slot, lastSerial: lastSerial, version: handshake.version, apiToken: handshake.token,
                    context: context))
        }
        socket.context = connection
        self.expiry.insert(
            ChannelID(slot: connection.slot, serial: 0),
            at: context.now / 1000 + context.limits.secondsWithoutChannel)
    }

    private func receive(_ socket: WebSocket, _ message: SocketMessage) {
        guard let connection = socket.context as? SocketConnection else { return }
        let context = self.context()
        let version = connection.session.version
        let decoded: ClientMessage
        do {
            switch message {
            case .text(let bytes): decoded = try RealtimeCodec.decode(text: bytes, version: version)
            case .binary(let bytes): decoded = try RealtimeCodec.decode(binary: bytes, version: version)
            }
        } catch {
            self.metrics.framesRefused += 1
            self.refusedFrames[(error.json?.code.description ?? error.code.description), default: 0] += 1
            let answer =
                switch message {
                case .text(let bytes): RealtimeCodec.refusal(ofText: bytes, error, version)
                case .binary(let bytes): RealtimeCodec.refusal(ofBinary: bytes, error, version)
                }
            return self.perform(connection.session.receiveMalformed(answer, context: context), for: connection)
        }
        let actions = connection.session.receive(decoded, context: context, verify: self.check(context))
        self.perform(actions, for: connection)
    }

    private func close(_ socket: WebSocket) {
        guard let connection = socket.context as? SocketConnection else { return }
        self.connections.remove(connection)
        self.leave(connection)
        self.focus.drop(connection.slot)
        connection.joins.cancel()
        for channel in connection.session.channels { self.drop(channel.id) }
    }

    // MARK: Actions

    /// Carries out what a session asked for.
    ///
    /// - Parameter live: what a channel that goes live now is to see first.
    func perform(_ actions: [SessionAction], for connection: SocketConnection, live: LivePlan? = nil) {
        for action in actions {
            switch action {
            case .send(let payload): connection.send(payload)
            case .authorize(let question): self.authorize(question, for: connection)
            case .goLive(let id):
                if let live { self.goLive(id, live, connection) }
            case .drop(let id): self.drop(id)
            case .joinRefused(let code):
                self.metrics.joinsRefused += 1
                self.refusedJoins[code, default: 0] += 1
            case .presenceState(let id):
                if let channel = connection.session.channel(id) { self.sendPresenceState(channel, connection) }
            case .track(let track): self.track(track, connection)
            case .untrack(let id): self.untrack(id)
            case .publish(let publication, let reply):
                let isOut = self.publish(publication)
                self.perform(connection.session.published(reply, isOut ? nil : .tooManyBytes), for: connection)
            case .typing(let indicator):
                if self.limiter.refusal(.receipt, of: indicator.user) == nil { self.publish(indicator) }
            case .focus(let focus): self.focus.set(focus, of: connection.slot, now: Clock.steadyNanoseconds())
            case .command(let command): self.run(command, for: connection)
            case .close(let code, let reason): connection.socket.close(code: code, reason: reason)
            }
        }
    }

    private func drop(_ id: ChannelID) {
        self.index.unsubscribe(id)
        self.untrack(id)
        if let key = self.typing.drop(id) { self.endTyping([key]) }
    }

    /// What was refused: one line for each reason and second that had some. Nothing of the content.
    func reportRefusals() {
        for (reason, count) in self.refusedFrames {
            self.log.info("frames of clients could not be read", [("reason", reason), ("count", "\(count)")])
        }
        for (reason, count) in self.refusedJoins {
            self.log.info("joins were refused", [("reason", reason), ("count", "\(count)")])
        }
        self.refusedFrames = [:]
        self.refusedJoins = [:]
    }

    /// Tells the session of a channel that its user lost the right to it.
    func revoke(_ id: ChannelID) {
        guard let connection = self.connections[id.slot] else { return }
        let context = self.context()
        self.perform(connection.session.revoked(id, context: context), for: connection)
    }
}
