extension SocketSession {
    /// `broadcast`: answered when the channel asked for acknowledgements, and then refusals too.
    mutating func broadcast(
        _ message: ClientMessage, at index: Int, context: SessionContext
    ) -> [SessionAction] {
        let channel = self.channels[index]
        guard let broadcast = ClientBroadcast(message) else {
            return self.acknowledge(message, channel, error: .malformed)
        }
        let intent: BroadcastIntent
        do {
            intent = try BroadcastIntent(
                broadcast, topic: channel.topic, token: channel.token, reserved: context.reserved,
                limit: context.limits.maxBroadcastBytes)
        } catch {
            // A name of the server's: whoever can tell the answer from others gets it, asked for or not.
            if error == .reserved, message.ref != nil { return [self.reply(to: message, refusal: error)] }
            return self.acknowledge(message, channel, error: error)
        }
        switch intent {
        case .command(let command):
            guard !self.isFinishing else { return self.acknowledge(message, channel, error: .restarting) }
            guard self.pendingCommands < context.limits.maxPendingCommands else {
                return self.acknowledge(message, channel, error: .tooMany)
            }
            self.pendingCommands += 1
            let reply = SocketCommand.Reply(joinRef: message.joinRef, ref: message.ref, topic: message.topic)
            return [
                .command(
                    SocketCommand(command: command, token: channel.token, reply: channel.ack ? reply : nil))
            ]
        case .typing(let user, let conversation, let isTyping):
            let typing = Typing(
                sender: channel.hearsItself ? nil : channel.id, conversation: conversation, user: user,
                isTyping: isTyping)
            return [.typing(typing)] + self.acknowledge(message, channel)
        case .forward:
            let publication = Publication(
                sender: channel.hearsItself ? nil : channel.id, topic: channel.topic, broadcast: broadcast)
            return [.publish(publication)] + self.acknowledge(message, channel)
        case .nothing: return self.acknowledge(message, channel)
        }
    }

    private func acknowledge(
        _ message: ClientMessage, _ channel: Channel, error: BroadcastRefusal? = nil
    ) -> [SessionAction] {
        guard channel.ack else { return [] }
        guard let error else { return [self.reply(to: message, ok: RealtimeCodec.emptyObject)] }
        return [self.reply(to: message, refusal: error)]
    }
}
