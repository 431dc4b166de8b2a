/// The protocol of one socket: frames in, actions out.
///
/// It owns no timer, no socket and no connection to the database. Everything it sends is already encoded for the
/// serializer of the socket. Standard: the Supabase Realtime protocol, serializers 1.0.0 and 2.0.0.
public struct SocketSession: Sendable {
    public let version: SerializerVersion
    /// The token of the upgrade; joins without a token of their own use it.
    public let apiToken: SessionToken
    public internal(set) var channels: [Channel] = []
    /// Since when, in Unix seconds, no channel is there.
    public internal(set) var emptySince: Int64
    /// Serial of the newest channel; the next socket in this slot continues from it.
    public internal(set) var lastSerial: UInt32
    let slot: UInt32
    var events: TokenBucket
    var joins: TokenBucket
    var pendingCommands = 0
    /// True from `finish` on.
    private(set) var isFinishing = false

    /// - Parameters:
    ///   - slot: the place of the connection in the hub's table.
    ///   - lastSerial: the last serial used in that slot by any socket before.
    public init(
        slot: UInt32, lastSerial: UInt32, version: SerializerVersion, apiToken: SessionToken, context: SessionContext
    ) {
        self.slot = slot
        self.lastSerial = lastSerial
        self.version = version
        self.apiToken = apiToken
        self.emptySince = context.seconds
        let limits = context.limits
        self.events = TokenBucket(rate: limits.eventsPerSecond, burst: limits.eventBurst)
        self.joins = TokenBucket(rate: limits.joinsPerSecond, burst: limits.joinBurst)
    }

    /// The channel of that id, if it is still there.
    public func channel(_ id: ChannelID) -> Channel? { self.index(of: id).map { self.channels[$0] } }

    // MARK: Events

    /// A frame that the codec understood.
    public mutating func receive(
        _ message: ClientMessage, context: SessionContext, verify: TokenCheck
    ) -> [SessionAction] {
        guard self.events.take(now: context.steady) else { return self.refuseExcess(message, context: context) }
        if message.topic == "phoenix" {
            guard message.event == "heartbeat" else { return self.refuse(message, .unknownEvent) }
            return [self.reply(to: message, ok: RealtimeCodec.emptyObject)]
        }
        switch message.event {
        case "phx_join", "join:conversation":
            return self.join(message, context: context, verify: verify)
        case "phx_leave":
            return self.leave(message, context: context)
        default:
            guard let index = self.index(of: message.topic) else {
                return [self.reply(to: message, refusal: .unmatchedTopic)]
            }
            return self.receive(message, at: index, context: context, verify: verify)
        }
    }

    /// A frame that is no message: it does nothing, but it counts.
    ///
    /// - Parameter answer: of the codec, for a frame that names a ref.
    public mutating func receiveMalformed(_ answer: WirePayload?, context: SessionContext) -> [SessionAction] {
        _ = self.events.take(now: context.steady)
        return answer.map { [.send($0)] } ?? []
    }

    /// More than the socket may send: the channel ends, and whoever waits for an answer to this message may send it again.
    /// Answers are as many as the frames, and smaller: a client that does not read them is closed as too slow.
    private mutating func refuseExcess(_ message: ClientMessage, context: SessionContext) -> [SessionAction] {
        guard let index = self.index(of: message.topic) else { return self.refuse(message, .tooMany) }
        let isHeard = message.event != "broadcast" || self.channels[index].ack
        return (isHeard ? self.refuse(message, .tooMany) : [])
            + self.terminate(at: index, text: ProtocolText.System.tooManyMessages, context: context)
    }

    /// An answer to a message that does nothing, if its ref waits for one. A token's exchange has none, ever.
    func refuse(_ message: ClientMessage, _ refusal: BroadcastRefusal) -> [SessionAction] {
        guard message.ref != nil, message.event != "access_token" else { return [] }
        return [self.reply(to: message, refusal: refusal)]
    }

    /// The database answered; answers for channels that are gone are ignored.
    public mutating func authorized(
        _ question: Authorization, _ answer: AuthorizationAnswer, context: SessionContext, verify: TokenCheck
    ) -> [SessionAction] {
        guard let index = self.index(of: question.channel) else { return [] }
        if question.isRefresh { return self.refreshed(at: index, question, answer, context: context) }
        guard case .joining(_, _, let deferred) = self.channels[index].state else { return [] }
        let channel = self.channels[index]
        let joins = channel.waitingJoins
        switch answer {
        case .denied, .failed:
            let waiting = self.remove(at: index, context: context)
            let refusal: JoinRefusal
            if case .failed(let failure) = answer {
                refusal = failure
            } else {
                refusal = .unauthorized(channel.subTopic)
            }
            return joins.map { self.reply(to: $0, error: refusal.reason) }
                + [.joinRefused(refusal.code), .drop(channel.id)] + waiting
        case .allowed:
            self.channels[index].state = .joined
            self.channels[index].joinResponse = []
            self.channels[index].unservedChanges = nil
            self.channels[index].overtaken = []
            var actions = joins.map { self.reply(to: $0, ok: channel.joinResponse) }
            actions.append(.goLive(channel.id))
            actions += self.refuseChanges(channel)
            for message in deferred {
                guard let index = self.index(of: channel.id) else { break }
                actions += self.receive(message, at: index, context: context, verify: verify)
            }
            return actions
        }
    }

    /// A `command` is over.
    ///
    /// - Parameters:
    ///   - reply: where the answer goes, from the command.
    ///   - isError: whether `response` describes a failure.
    ///   - response: one JSON object.
    public mutating func commandFinished(
        _ reply: SocketCommand.Reply?, isError: Bool, response: [UInt8]
    ) -> [SessionAction] {
        self.pendingCommands -= 1
        var actions: [SessionAction] = []
        if let reply {
            actions.append(
                .send(
                    RealtimeCodec.reply(
                        self.version, joinRef: reply.joinRef, ref: reply.ref, topic: reply.topic,
                        status: isError ? .error : .ok, response: response)))
        }
        return actions + self.closeIfFinished()
    }

    /// The worker goes down: the socket closes, with the code that brings clients back elsewhere, once every
    /// command that was taken has been answered. No more are taken.
    public mutating func finish() -> [SessionAction] {
        self.isFinishing = true
        return self.closeIfFinished()
    }

    private func closeIfFinished() -> [SessionAction] {
        self.isFinishing && self.pendingCommands == 0 ? [.close(code: 1012, reason: "service restart")] : []
    }

    /// The right to read a channel ended in the log.
    public mutating func revoked(_ id: ChannelID, context: SessionContext) -> [SessionAction] {
        guard let index = self.index(of: id) else { return [] }
        let text = ProtocolText.System.permissionLost(subTopic: self.channels[index].subTopic)
        return self.terminate(at: index, text: text, context: context)
    }

    /// The time of `expiresAt` of a channel may have come.
    public mutating func expire(_ id: ChannelID, context: SessionContext) -> [SessionAction] {
        guard let index = self.index(of: id), self.channels[index].expiresAt <= context.seconds else { return [] }
        let refusal = TokenRefusal.expired(secondsAgo: context.seconds - self.channels[index].expiresAt)
        return self.terminate(
            at: index, text: refusal.systemText, joinReason: refusal.joinReason, context: context)
    }

    /// The socket had time enough to join something.
    public func isAbandoned(context: SessionContext) -> Bool {
        self.channels.isEmpty && context.seconds - self.emptySince >= context.limits.secondsWithoutChannel
    }

    // MARK: Messages of a channel

    private mutating func receive(
        _ message: ClientMessage, at index: Int, context: SessionContext, verify: TokenCheck
    ) -> [SessionAction] {
        if message.event == "access_token" {
            return self.refreshToken(message, at: index, context: context, verify: verify)
        }
        if case .joining(let ref, let joinRef, var deferred) = self.channels[index].state {
            let waiting = self.channels.reduce(0) { $0 + $1.deferredBytes }
            guard deferred.count < context.limits.maxDeferred,
                waiting + message.size <= context.limits.maxDeferredBytes
            else {
                guard self.wantsReply(message, ack: self.channels[index].ack) else { return [] }
                return [self.reply(to: message, refusal: .tooMany)]
            }
            deferred.append(message)
            self.channels[index].state = .joining(ref: ref, joinRef: joinRef, deferred: deferred)
            return []
        }
        switch message.event {
        case "broadcast": return self.broadcast(message, at: index, context: context)
        case "presence": return self.presence(message, at: index, context: context)
        default: return self.refuse(message, .unknownEvent)
        }
    }

    private mutating func leave(_ message: ClientMessage, context: SessionContext) -> [SessionAction] {
        let done = self.reply(to: message, ok: RealtimeCodec.emptyObject)
        guard let index = self.index(of: message.topic) else {
            guard Topic.subTopic(ofWire: message.topic) != nil else {
                return [self.reply(to: message, refusal: .unmatchedTopic)]
            }
            return [done]
        }
        let channel = self.channels[index]
        // A leave that names another join is late: it must not end the membership that replaced it.
        if let joinRef = message.joinRef, joinRef != channel.joinRef { return [done] }
        let waiting = self.remove(at: index, joinRefusal: .left, context: context)
        return waiting + [done, self.close(channel), .drop(channel.id)]
    }

    // MARK: Ending channels

    /// Ends a channel with a reason the client sees: a refused join, or a `system` message and `phx_close`.
    mutating func terminate(
        at index: Int, text: String, joinReason: String? = nil, context: SessionContext
    ) -> [SessionAction] {
        let channel = self.channels[index]
        let waiting = self.remove(at: index, context: context)
        if !channel.isJoined {
            return channel.waitingJoins.map { self.reply(to: $0, error: joinReason ?? text) } + [.drop(channel.id)]
                + waiting
        }
        let system = RealtimeCodec.system(
            self.version, topic: channel.name, status: .error, message: text)
        return [.send(system), self.close(channel), .drop(channel.id)]
    }

    /// Forgets a channel; answers what still waited for its join, and the join itself if a refusal is given for it.
    mutating func remove(
        at index: Int, joinRefusal: JoinRefusal? = nil, context: SessionContext
    ) -> [SessionAction] {
        let channel = self.channels.remove(at: index)
        if self.channels.isEmpty {
            self.channels = []
            self.emptySince = context.seconds
        }
        guard case .joining(_, _, let deferred) = channel.state else { return [] }
        var actions: [SessionAction] = []
        if let joinRefusal {
            actions = channel.waitingJoins.filter { $0.ref != nil }
                .map { self.reply(to: $0, error: joinRefusal.reason) }
        }
        return actions
            + deferred.filter { self.wantsReply($0, ack: channel.ack) }.map {
                self.reply(to: $0, refusal: .unmatchedTopic)
            }
    }

    func close(_ channel: Channel) -> SessionAction {
        .send(RealtimeCodec.close(self.version, joinRef: channel.joinRef, topic: channel.name))
    }

    // MARK: Details

    func index(of id: ChannelID) -> Int? { self.channels.firstIndex { $0.id == id } }

    /// The channel of a topic as on the wire, however the client spells it this time.
    func index(of name: String) -> Int? {
        guard let topic = Topic(wire: name) else { return nil }
        return self.channels.firstIndex { $0.topic == topic }
    }

    func wantsReply(_ message: ClientMessage, ack: Bool) -> Bool {
        message.event == "presence" || (message.event == "broadcast" && ack)
    }

    func reply(to message: ClientMessage, ok response: [UInt8]) -> SessionAction {
        .send(
            RealtimeCodec.reply(
                self.version, joinRef: message.joinRef, ref: message.ref, topic: message.topic, status: .ok,
                response: response))
    }

    func reply(to message: ClientMessage, refusal: BroadcastRefusal) -> SessionAction {
        .send(
            RealtimeCodec.reply(
                self.version, joinRef: message.joinRef, ref: message.ref, topic: message.topic, status: .error,
                response: refusal.response))
    }

    func reply(to message: ClientMessage, error reason: String) -> SessionAction {
        .send(
            RealtimeCodec.errorReply(
                self.version, joinRef: message.joinRef, ref: message.ref, topic: message.topic, reason: reason))
    }
}
