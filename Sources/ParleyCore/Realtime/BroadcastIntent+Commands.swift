internal import FoundationEssentials

extension BroadcastIntent {
    /// What the names of broadcasts that run any function of the API begin with.
    static let commandPrefix = "rpc:"

    /// `rpc:<function>` on the channel of a conversation or of a user runs that function; the payload is an object with
    /// its named arguments, as in the body of `POST /rest/v1/rpc/<function>`.
    ///
    /// A function that takes a `conversation_id` gets the channel's, unless the payload names one. The reply's
    /// `response` is what the function returns, in `{"result": ...}` unless that is an object; refusals have the code and
    /// the words of the gateway.
    static func namedCommand(
        _ broadcast: ClientBroadcast, _ topic: Topic
    ) throws(BroadcastRefusal) -> DatabaseCommand? {
        guard broadcast.event.hasPrefix(Self.commandPrefix) else { return nil }
        let function = String(broadcast.event.dropFirst(Self.commandPrefix.count))
        let subject: UUID
        var conversation: UUID?
        switch topic {
        case .conversation(let id):
            subject = id
            conversation = id
        case .user(let id): subject = id
        case .moderation, .other: return nil
        }
        guard case .json(let payload) = broadcast.body else { throw .argument("payload", "an object") }
        do {
            return DatabaseCommand(
                function: function, arguments: try CommandArguments(json: payload), subject: subject,
                channelConversation: conversation, mayShare: false)
        } catch {
            throw BroadcastRefusal(error)
        }
    }
}
