extension SocketSession {
    /// `presence`: track and untrack, always answered.
    mutating func presence(
        _ message: ClientMessage, at index: Int, context: SessionContext
    ) -> [SessionAction] {
        guard self.channels[index].countPresenceCall(second: context.seconds, limits: context.limits) else {
            return self.terminate(at: index, text: ProtocolText.System.presenceRateLimit, context: context)
        }
        let id = self.channels[index].id
        guard case .json(let payload) = message.payload else { return [self.reply(toUnknown: message)] }
        switch PresenceCommand(payload: payload) {
        case .track(let fields):
            // Tracking switches presence on; the key is settled then.
            self.channels[index].presenceEnabled = true
            self.channels[index].presenceKey = Self.presenceKey(self.channels[index].presenceKey)
            let track = PresenceTrack(
                channel: id, key: self.channels[index].presenceKey, fields: fields, joinRef: message.joinRef,
                ref: message.ref)
            return [.track(track)]
        case .untrack: return [self.reply(to: message, ok: RealtimeCodec.emptyObject), .untrack(id)]
        case .notAMap: return [self.reply(to: message, error: ProtocolText.Reply.presenceNotMap)]
        case .unknown: return [self.reply(toUnknown: message)]
        }
    }

    /// The table of the topic took a presence, or did not.
    public mutating func tracked(
        _ track: PresenceTrack, _ outcome: PresenceOutcome, context: SessionContext
    ) -> [SessionAction] {
        guard let index = self.index(of: track.channel) else { return [] }
        let message = ClientMessage(
            joinRef: track.joinRef, ref: track.ref, topic: self.channels[index].name, event: "presence",
            payload: .json([]))
        switch outcome {
        case .done: return [self.reply(to: message, ok: RealtimeCodec.emptyObject)]
        case .refused: return [self.reply(toUnknown: message)]
        case .tooLarge:
            return self.terminate(at: index, text: ProtocolText.System.presenceTooLarge, context: context)
        }
    }

    /// An error that upstream gives no reason for.
    private func reply(toUnknown message: ClientMessage) -> SessionAction {
        .send(
            RealtimeCodec.reply(
                self.version, joinRef: message.joinRef, ref: message.ref, topic: message.topic, status: .error,
                response: RealtimeCodec.emptyObject))
    }
}
