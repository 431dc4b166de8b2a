extension SocketSession {
    /// `presence`: track and untrack, always answered.
    mutating func presence(
        _ message: ClientMessage, at index: Int, context: SessionContext
    ) -> [SessionAction] {
        guard self.channels[index].countPresenceCall(second: context.seconds, limits: context.limits) else {
            return self.refuse(message, .presenceRate)
                + self.terminate(at: index, text: ProtocolText.System.presenceRateLimit, context: context)
        }
        let channel = self.channels[index]
        let id = channel.id
        guard case .json(let payload) = message.payload else { return self.refuse(message, .presenceNotMap) }
        switch PresenceCommand(payload: payload) {
        case .track(let fields):
            let user = channel.token.boundUser
            if let user, PresenceTrack.names(channel.presenceKey, anotherThan: user) {
                return [self.reply(to: message, refusal: .presenceOfAnother)]
            }
            let track = PresenceTrack(
                channel: id, user: user, key: channel.presenceKey, fields: fields, joinRef: message.joinRef,
                ref: message.ref)
            // Tracking switches presence on. Clients hold diffs back until they have the state.
            guard !channel.presenceEnabled else { return [.track(track)] }
            self.channels[index].presenceEnabled = true
            return [.presenceState(id), .track(track)]
        case .tooLarge:
            return self.refuse(message, .presenceTooLarge)
                + self.terminate(at: index, text: ProtocolText.System.presenceTooLarge, context: context)
        case .untrack: return [self.reply(to: message, ok: RealtimeCodec.emptyObject), .untrack(id)]
        case .notAMap: return [self.reply(to: message, refusal: .presenceNotMap)]
        case .unknown: return self.refuse(message, .unknownEvent)
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
        case .refused: return [self.reply(to: message, refusal: .presenceRefused)]
        case .tooLarge:
            return self.refuse(message, .presenceTooLarge)
                + self.terminate(at: index, text: ProtocolText.System.presenceTooLarge, context: context)
        }
    }
}
