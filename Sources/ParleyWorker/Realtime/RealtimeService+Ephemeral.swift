internal import FoundationEssentials
internal import ParleyCore
internal import WebServer

/// What is said and forgotten: broadcasts of clients, typing, presence.
extension RealtimeService {
    /// Forwards a broadcast; false when its user or its topic has had enough of them.
    func publish(_ publication: Publication) -> Bool {
        guard self.broadcasts.take(publication, now: Clock.steadyNanoseconds()) else {
            self.metrics.broadcastsRefused += 1
            return false
        }
        self.forward(publication)
        return true
    }

    private func forward(_ publication: Publication) {
        let broadcast = publication.broadcast
        guard broadcast.carriesMeta else {
            self.fanOut(publication.topic, of: publication.user, except: publication.sender) {
                broadcast.encode($0, topic: $1)
            }
            return
        }
        // `meta` marks durable events; what a client puts there does not travel.
        let template = BroadcastTemplate(event: broadcast.event, body: broadcast.body)
        self.fanOut(publication.topic, of: publication.user, except: publication.sender) {
            template.encode($0, topic: $1)
        }
    }

    /// Tells the others of a conversation, as far as the table says so.
    func publish(_ typing: Typing) {
        guard self.typing.announces(typing, now: Clock.steadyNanoseconds()) else { return }
        self.announce(typing)
    }

    /// Says for authors who did not that they type no more.
    func endTyping(_ keys: some Sequence<TypingTable.Key>) {
        for key in keys {
            self.announce(
                Typing(channel: nil, sender: nil, conversation: key.conversation, user: key.user, isTyping: false))
        }
    }

    private func announce(_ typing: Typing) {
        let payload =
            #"{"conversation_id":"\#(typing.conversation.lowercaseText)","user_id":"\#(typing.user.lowercaseText)"}"#
        let template = BroadcastTemplate(
            event: typing.isTyping ? "typing:start" : "typing:stop", body: .json([UInt8](payload.utf8)))
        self.fanOut(.conversation(typing.conversation), of: typing.user, except: typing.sender) {
            template.encode($0, topic: $1)
        }
    }

    // MARK: Presence

    func sendPresenceState(_ channel: Channel, _ connection: SocketConnection) {
        let state =
            self.presence[channel.topic]?.stateJSON {
                self.discretion.shows($0, to: channel.token.boundUser, in: channel.topic)
            } ?? RealtimeCodec.emptyObject
        connection.send(
            RealtimeCodec.presenceState(
                connection.session.version, joinRef: channel.joinRef, topic: channel.name, state: state))
    }

    func track(_ track: PresenceTrack, _ connection: SocketConnection) {
        guard let topic = connection.session.channel(track.channel)?.topic else { return }
        self.away[track.channel] = nil
        let action = self.presence[topic, default: PresenceTable()].track(
            member: track.channel.memberID, user: track.user, key: track.key, fields: track.shownFields,
            ref: self.presenceRefs.next())
        var diff: PresenceDiff?
        let outcome: PresenceOutcome
        switch action {
        case .unchanged: outcome = .done
        case .changed(let change):
            self.tracked[track.channel] = topic
            connection.socket.attend()
            diff = change
            outcome = .done
        case .tooLarge: outcome = .tooLarge
        case .refused: outcome = .refused
        }
        if self.presence[topic]?.isEmpty ?? false { self.presence[topic] = nil }
        self.perform(connection.session.tracked(track, outcome, context: self.context()), for: connection)
        if let diff { self.send(diff, of: track.user, to: topic) }
    }

    /// Ends the presence of a channel, if it has one.
    func untrack(_ id: ChannelID) {
        self.away[id] = nil
        _ = self.endPresence(id)
    }

    /// - Returns: what was shown until now.
    func endPresence(_ id: ChannelID) -> AwayPresence? {
        guard let topic = self.tracked.removeValue(forKey: id) else { return nil }
        let user = self.presence[topic]?.user(of: id.memberID)
        let diff = self.presence[topic]?.remove(member: id.memberID)
        if self.presence[topic]?.isEmpty ?? false { self.presence[topic] = nil }
        guard let diff else { return nil }
        self.send(diff, of: user, to: topic)
        return diff.leaves.first.map { AwayPresence(topic: topic, user: user, key: $0.key, fields: $0.meta.fields) }
    }

    func send(_ diff: PresenceDiff, of user: UUID?, to topic: Topic) {
        let json = diff.json()
        var frames = TopicFrames { RealtimeCodec.presenceDiff($0, topic: $1, diff: json) }
        self.index.forEachChannel(of: topic) { delivery in
            // Those who did not ask would keep them all, waiting for a state. None may be missing for the others, or who
            // is present stays wrong.
            let session = self.connections[delivery.channel.slot]?.session
            guard let channel = session?.channel(delivery.channel), channel.presenceEnabled,
                self.discretion.shows(user, to: channel.token.boundUser, in: topic)
            else { return }
            _ = self.deliver(delivery, &frames)
        }
    }

    // MARK: Fan-out

    private func fanOut(
        _ topic: Topic, of user: UUID?, except sender: ChannelID?,
        _ encode: @escaping (SerializerVersion, String) -> WirePayload?
    ) {
        var frames = TopicFrames(encode)
        self.index.forEachChannel(of: topic) { delivery in
            guard delivery.channel != sender, self.discretion.passes(from: user, to: self.user(of: delivery), in: topic)
            else { return }
            if let socket = self.connections[delivery.channel.slot]?.socket,
                socket.queuedBytes > self.configuration.maxEphemeralQueue
            {
                self.metrics.ephemeralDropped += 1
                return
            }
            _ = self.deliver(delivery, &frames)
        }
    }
}

extension ChannelID {
    /// The name of a channel in a presence table.
    var memberID: UInt64 { UInt64(self.slot) << 32 | UInt64(self.serial) }
}
