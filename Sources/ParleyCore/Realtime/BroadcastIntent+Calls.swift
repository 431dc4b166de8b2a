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
    ) throws(BroadcastRefusal) -> BroadcastIntent? {
        let conversation: UUID?
        switch topic {
        case .conversation(let id): conversation = id
        case .user: conversation = nil
        case .moderation, .other: return nil
        }
        guard let command = CallCommand(broadcast.event) else { return nil }
        var arguments = try CommandArguments(broadcast, conversation: conversation, known: command.known)
        guard command.function != .startCall else {
            guard let about = arguments.conversation else { throw .missing("conversation_id") }
            arguments.addConversation()
            return .call(.startCall, conversation: about, names: arguments.names, arguments: arguments.json)
        }
        for name in command.required where arguments[name] == nil { throw .missing(name) }
        guard let call = arguments["call_id"]?.string.flatMap(UUID.init(uuidString:)) else {
            throw .argument("call_id", "a uuid")
        }
        if let signal = command.signal { arguments.add("kind", signal) }
        return .call(
            command.function, conversation: conversation ?? call, names: arguments.names, arguments: arguments.json)
    }
}

/// A command of `BroadcastIntent.callCommand`: the function it runs and the fields it takes.
private struct CallCommand {
    var function: DatabaseCall.Function
    var required = ["call_id"]
    var optional: [String] = []
    /// The kind of signal, where it is one.
    var signal: String?

    var known: [String] { self.required + self.optional }

    init?(_ event: String) {
        switch event {
        case "call:start":
            self.function = .startCall
            self.required = []
            self.optional = ["kind", "device_id", "invite_ids", "client_call_id"]
        case "call:accept":
            self.function = .acceptCall
            self.required.append("device_id")
        case "call:decline":
            self.function = .declineCall
            self.optional = ["busy"]
        case "call:cancel": self.function = .cancelCall
        case "call:end":
            self.function = .endCall
            self.optional = ["device_id", "failed"]
        case "call:offer", "call:answer", "call:ice", "call:renegotiate":
            self.function = .signalCall
            self.required += ["to_user_id", "payload"]
            self.optional = ["to_device_id", "device_id"]
            self.signal = String(event.dropFirst("call:".count))
        default: return nil
        }
    }
}
