internal import FoundationEssentials

extension BroadcastIntent {
    /// The commands of voice and video calls, on the channel of a conversation or of a user:
    ///
    ///     call:start        {conversation_id, kind: voice|video, device_id, invite_ids?, client_call_id?}
    ///     call:accept       {call_id, device_id}
    ///     call:decline      {call_id, busy?}
    ///     call:cancel       {call_id}
    ///     call:end          {call_id, device_id?, failed?}
    ///     call:offer        {call_id, to_user_id, to_device_id?, device_id?, payload}
    ///     call:answer, call:ice, call:renegotiate      as call:offer
    ///
    /// The answer of the last four is `{call_id, signal_id}`, of the others `{call}`. On the channel of a conversation
    /// `conversation_id` may be left out.
    static func callCommand(
        _ broadcast: ClientBroadcast, _ topic: Topic
    ) throws(BroadcastRefusal) -> DatabaseCommand? {
        let conversation: UUID?
        switch topic {
        case .conversation(let id): conversation = id
        case .user: conversation = nil
        case .moderation, .other: return nil
        }
        guard let command = CallCommand(broadcast.event) else { return nil }
        var fields = try BroadcastFields(broadcast, conversation: conversation, known: command.known)
        let subject: UUID
        if command.needsConversation {
            guard let about = fields.conversation else { throw .missing("conversation_id") }
            fields.addConversation()
            subject = about
        } else {
            for name in command.required where fields[name] == nil { throw .missing(name) }
            guard let call = fields["call_id"]?.string.flatMap(UUID.init(uuidString:)) else {
                throw .argument("call_id", "a uuid")
            }
            if let signal = command.signal { fields.add("kind", signal) }
            subject = conversation ?? call
        }
        return DatabaseCommand(
            function: command.function, arguments: try fields.arguments(), subject: subject,
            answerName: command.signal == nil ? "call" : nil)
    }
}

/// A command of `BroadcastIntent.callCommand`: the function it runs and the fields it takes.
private struct CallCommand {
    var function: String
    var required = ["call_id"]
    var optional: [String] = []
    /// The kind of signal, where it is one.
    var signal: String?

    /// It is about a conversation, not about a call there is.
    var needsConversation: Bool { self.required.isEmpty }

    var known: BroadcastFields.Names { BroadcastFields.Names(self.required + self.optional) }

    init?(_ event: String) {
        switch event {
        case "call:start":
            self.function = "start_call"
            self.required = []
            self.optional = ["kind", "device_id", "invite_ids", "client_call_id"]
        case "call:accept":
            self.function = "accept_call"
            self.required.append("device_id")
        case "call:decline":
            self.function = "decline_call"
            self.optional = ["busy"]
        case "call:cancel": self.function = "cancel_call"
        case "call:end":
            self.function = "end_call"
            self.optional = ["device_id", "failed"]
        case "call:offer", "call:answer", "call:ice", "call:renegotiate":
            self.function = "signal_call"
            self.required += ["to_user_id", "payload"]
            self.optional = ["to_device_id", "device_id"]
            self.signal = String(event.dropFirst("call:".count))
        default: return nil
        }
    }
}
