extension BroadcastIntent {
    static let focusEvent = "focus:set"

    /// `focus:set {conversation_id, active}` on any channel of a user's: what this device shows, so that push does not
    /// disturb another device of the user at once. Nobody else hears of it.
    static func focus(_ broadcast: ClientBroadcast, _ token: SessionToken) throws(BroadcastRefusal) -> BroadcastIntent?
    {
        guard broadcast.event == Self.focusEvent else { return nil }
        guard let user = token.boundUser else { throw .noUser }
        let fields = try BroadcastFields(broadcast, conversation: nil, known: ["active"])
        var isActive = true
        if let active = fields["active"] {
            guard let value = active.bool else { throw .argument("active", "true or false") }
            isActive = value
        }
        return .focus(Focus(user: user, conversation: fields.conversation, isActive: isActive))
    }
}
