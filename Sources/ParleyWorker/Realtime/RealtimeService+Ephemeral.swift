internal import FoundationEssentials
internal import ParleyCore
internal import WebServer

/// What is said and forgotten: broadcasts of clients, typing, presence.
extension RealtimeService {
    func publish(_ publication: Publication) {
        let broadcast = publication.broadcast
        guard broadcast.carriesMeta else {
            self.fanOut(publication.topic, except: publication.sender, mayDrop: true) {
                broadcast.encode($0, topic: $1)
            }
            return
        }
        // `meta` marks durable events; what a client puts there does not travel.
        let template = BroadcastTemplate(event: broadcast.event, body: broadcast.body)
        self.fanOut(publication.topic, except: publication.sender, mayDrop: true) { template.encode($0, topic: $1) }
    }

    /// At most one a second per user and conversation. One `typing:stop` after a start always passes, so that nobody
    /// seems to type forever.
    func publish(_ typing: Typing) {
        let key = TypingKey(user: typing.user, conversation: typing.conversation)
        let now = Clock.steadyNanoseconds()
        if typing.isTyping {
            guard self.typing.allows(key, now: now) else {
                return
            }
            self.startedTyping.insert(key)
        } else {
            let ends = self.startedTyping.remove(key) != nil
            guard ends || self.typing.allows(key, now: now) else {
                return
            }
        }
        if self.startedTyping.count > RealtimeService.maxStartedTyping { self.startedTyping = [key] }
        let payload =
            #"{"conversation_id":"\#(typing.conversation.lowercaseText)","user_id":"\#(typing.user.lowercaseText)"}"#
        let template = BroadcastTemplate(
            event: typing.isTyping ? "typing:start" : "typing:stop", body: .json([UInt8](payload.utf8)))
        self.fanOut(.conversation(typing.conversation), except: typing.sender, mayDrop: true) {
            template.encode($0, topic: $1)
        }
    }

    // MARK: Presence

    func sendPresenceState(_ channel: Channel, _ connection: SocketConnection) {
        let state = self.presence[channel.topic]?.stateJSON() ?? RealtimeCodec.emptyObject
        connection.send(
            RealtimeCodec.presenceState(
                connection.session.version, joinRef: channel.joinRef, topic: channel.name, state: state))
    }

    func track(_ track: PresenceTrack, _ connection: SocketConnection) {
        guard let topic = connection.session.channel(track.channel)?.topic else { return }
        let action = self.presence[topic, default: PresenceTable()].track(
            member: track.channel.memberID, key: track.key, fields: track.fields, ref: self.presenceRefs.next())
        var diff: PresenceDiff?
        let outcome: PresenceOutcome
        switch action {
        case .unchanged: outcome = .done
        case .changed(let change):
            self.tracked[track.channel] = topic
            diff = change
            outcome = .done
        case .tooLarge: outcome = .tooLarge
        case .refused: outcome = .refused
        }
        if self.presence[topic]?.isEmpty ?? false { self.presence[topic] = nil }
        self.perform(connection.session.tracked(track, outcome, context: self.context()), for: connection)
        if let diff { self.send(diff, to: topic) }
    }

    /// Ends the presence of a channel, if it has one.
    func untrack(_ id: ChannelID) {
        guard let topic = self.tracked.removeValue(forKey: id) else { return }
        let diff = self.presence[topic]?.remove(member: id.memberID)
        if self.presence[topic]?.isEmpty ?? false { self.presence[topic] = nil }
        if let diff { self.send(diff, to: topic) }
    }

    private func send(_ diff: PresenceDiff, to topic: Topic) {
        let json = diff.json()
        // None may be missing, or who is present stays wrong.
        self.fanOut(topic, except: nil, mayDrop: false) { RealtimeCodec.presenceDiff($0, topic: $1, diff: json) }
    }

    // MARK: Fan-out

    private func fanOut(
        _ topic: Topic, except sender: ChannelID?, mayDrop: Bool,
        _ encode: @escaping (SerializerVersion, String) -> WirePayload?
    ) {
        var frames = TopicFrames(encode)
        self.index.forEachChannel(of: topic) { delivery in
            guard delivery.channel != sender else { return }
            if mayDrop, let socket = self.connections[delivery.channel.slot]?.socket,
                socket.queuedBytes > self.configuration.maxEphemeralQueue
            {
                self.metrics.ephemeralDropped += 1
                return
            }
            _ = self.deliver(delivery, &frames)
        }
    }

    static var maxStartedTyping: Int { 65_536 }
}

/// Who types where.
struct TypingKey: Hashable, Sendable {
    var user: UUID
    var conversation: UUID
}

extension ChannelID {
    /// The name of a channel in a presence table.
    var memberID: UInt64 { UInt64(self.slot) << 32 | UInt64(self.serial) }
}
