internal import FoundationEssentials

extension SocketSession {
    mutating func join(
        _ message: ClientMessage, context: SessionContext, verify: TokenCheck
    ) -> [SessionAction] {
        guard Topic.subTopic(ofWire: message.topic) != nil else {
            return [self.reply(to: message, refusal: .unmatchedTopic)]
        }
        guard self.joins.take(now: context.steady) else { return self.refuse(message, .tooManyJoins) }
        var actions: [SessionAction] = []
        var overtaken: [ClientMessage] = []
        // One membership per topic: the newer join replaces the older one without a `phx_close`, which would close the
        // newer in clients that do not look at its ref. Joins of the same spelling that were not decided get the answer of
        // the newer: an error would be one for the channel in clients that do not look at refs. One of another spelling
        // is told: it is another channel for its client.
        if let index = self.index(of: message.topic) {
            let older = self.channels[index]
            if older.name == message.topic, older.overtaken.count < Self.maxOvertaken { overtaken = older.waitingJoins }
            actions =
                self.remove(
                    at: index, joinRefusal: overtaken.isEmpty ? .replaced : nil, context: context) + [.drop(older.id)]
            if older.name != message.topic { actions.append(self.close(older)) }
        }
        do {
            var (channel, question) = try self.admit(message, context: context, verify: verify)
            channel.overtaken = overtaken
            self.channels.append(channel)
            actions.append(.authorize(question))
        } catch {
            actions = overtaken.map { self.reply(to: $0, error: error.reason) } + actions + self.refuse(message, error)
        }
        return actions
    }

    /// So many undecided joins of a topic wait for the answer of one; what comes beyond is refused.
    private static let maxOvertaken = 8

    private func refuse(_ message: ClientMessage, _ refusal: JoinRefusal) -> [SessionAction] {
        [self.reply(to: message, error: refusal.reason), .joinRefused(refusal.code)]
    }

    /// Everything that can be said without the database.
    private mutating func admit(
        _ message: ClientMessage, context: SessionContext, verify: TokenCheck
    ) throws(JoinRefusal) -> (Channel, Authorization) {
        guard let subTopic = Topic.subTopic(ofWire: message.topic), !subTopic.isEmpty else {
            throw .topicNameRequired
        }
        guard !context.draining else { throw .restarting }
        guard self.channels.count < context.limits.maxChannels else { throw .tooManyChannels }
        guard case .json(let payload) = message.payload else { throw .notJSON }
        let config = JoinConfig(payload: payload)
        guard config.isPrivate else { throw .privateOnly }
        guard config.replay != .invalid else { throw .replayParameters }
        let token = try self.token(config.accessToken, context: context, verify: verify)
        guard context.database == .ready else { throw .unavailable }
        let topic = Topic(subTopic: subTopic)
        // An `event_seq` counts within one conversation: elsewhere a client would wait for what never comes.
        if case .after = config.replay {
            guard case .conversation = topic else { throw .replayParameters }
        }
        guard Self.mayAsk(for: topic, token) else { throw .unauthorized(subTopic) }

        self.lastSerial &+= 1
        if self.lastSerial == 0 { self.lastSerial = 1 }
        let id = ChannelID(slot: self.slot, serial: self.lastSerial)
        let channel = Channel(
            id: id, name: message.topic, topic: topic, token: token, presenceEnabled: config.presenceEnabled,
            presenceKey: Self.presenceKey(config.presenceKey, token),
            state: .joining(ref: message.ref, joinRef: message.joinRef, deferred: []),
            joinRef: message.joinRef ?? message.ref, ack: config.acknowledges, hearsItself: config.receivesOwn,
            joinResponse: config.joinResponse, unservedChanges: config.postgresChanges.first?.summary)
        return (
            channel,
            Authorization(
                channel: id, topic: topic, token: token, replay: config.replay, isRefresh: false)
        )
    }

    /// Tells a client that asked for changes of tables that there are none, as upstream tells of a table that it does not
    /// serve; the channel lives on. Not in version 1.0.0: the Python client takes the message for a failed channel, and
    /// would join again every second.
    func refuseChanges(_ channel: Channel) -> [SessionAction] {
        guard self.version != .v1, let changes = channel.unservedChanges else { return [] }
        return [
            .send(
                RealtimeCodec.system(
                    self.version, topic: channel.name, extension: ProtocolText.Extension.postgresChanges,
                    status: .error, message: ProtocolText.System.noPostgresChanges(changes)))
        ]
    }

    /// What the access rule would refuse whatever the database says; spares it the question.
    private static func mayAsk(for topic: Topic, _ token: SessionToken) -> Bool {
        if token.isService { return true }
        guard let subject = token.subject else { return false }
        switch topic {
        case .user(let id): return id == subject
        case .conversation, .moderation: return true
        case .other: return false
        }
    }

    /// The token of a join; absent, and opaque keys, mean the one of the socket.
    private func token(
        _ text: String?, context: SessionContext, verify: TokenCheck
    ) throws(JoinRefusal) -> SessionToken {
        var token = self.apiToken
        if let text {
            // Most clients join all their channels with one token: check it once, keep it once.
            let fingerprint = SessionToken.fingerprint(of: text)
            if let known = self.channels.first(where: { $0.token.fingerprint == fingerprint })?.token {
                token = known
            } else if token.fingerprint != fingerprint {
                switch verify(text) {
                case .success(let verified): token = verified
                case .failure(let refusal): throw .token(refusal)
                }
            }
        }
        guard token.expiresAt > context.seconds else {
            throw .token(TokenRefusal.expired(secondsAgo: context.seconds - token.expiresAt))
        }
        return token
    }

    /// The key asked for, or the user's id, under which all devices of a user are found; the service gets one of its own.
    private static func presenceKey(_ asked: String?, _ token: SessionToken) -> String {
        guard let asked, !asked.isEmpty else { return (token.boundUser ?? UUID()).lowercaseText }
        return asked
    }
}
