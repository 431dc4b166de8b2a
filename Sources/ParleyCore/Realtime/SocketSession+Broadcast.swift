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
            let reply = channel.ack ? Self.place(message) : nil
            return [.command(SocketCommand(command: command, token: channel.token, reply: reply))]
        case .typing(let user, let conversation, let isTyping):
            let typing = Typing(
                channel: channel.id, sender: channel.hearsItself ? nil : channel.id, conversation: conversation,
                user: user,
                isTyping: isTyping)
            return [.typing(typing)] + self.acknowledge(message, channel)
        case .focus(let focus): return [.focus(focus)] + self.acknowledge(message, channel)
        case .forward:
            let publication = Publication(
                sender: channel.hearsItself ? nil : channel.id, user: channel.token.boundUser, topic: channel.topic,
                broadcast: broadcast)
            return [.publish(publication, channel.ack ? Self.place(message) : nil)]
        case .nothing: return self.acknowledge(message, channel)
        }
    }

    /// A broadcast is out, or was refused.
    public func published(_ reply: SocketCommand.Reply?, _ refusal: BroadcastRefusal?) -> [SessionAction] {
        guard let reply else { return [] }
        let message = ClientMessage(
            joinRef: reply.joinRef, ref: reply.ref, topic: reply.topic, event: "broadcast", payload: .json([]))
        guard let refusal else { return [self.reply(to: message, ok: RealtimeCodec.emptyObject)] }
        return [self.reply(to: message, refusal: refusal)]
    }

    private static func place(_ message: ClientMessage) -> SocketCommand.Reply {
        SocketCommand.Reply(joinRef: message.joinRef, ref: message.ref, topic: message.topic)
    }

    private func acknowledge(
        _ message: ClientMessage, _ channel: Channel, error: BroadcastRefusal? = nil
    ) -> [SessionAction] {
        guard channel.ack else { return [] }
        guard let error else { return [self.reply(to: message, ok: RealtimeCodec.emptyObject)] }
        return [self.reply(to: message, refusal: error)]
    }
}
