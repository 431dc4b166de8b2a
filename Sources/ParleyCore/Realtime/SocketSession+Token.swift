extension SocketSession {
    /// `access_token`: never answered; a token that is new must be as good as the old one, or the channel closes.
    mutating func refreshToken(
        _ message: ClientMessage, at index: Int, context: SessionContext, verify: TokenCheck
    ) -> [SessionAction] {
        guard case .json(let payload) = message.payload, let text = AccessToken.update(payload: payload) else {
            return []
        }
        let channel = self.channels[index]
        let fingerprint = SessionToken.fingerprint(of: text)
        guard fingerprint != (channel.refreshing ?? channel.token).fingerprint else { return [] }
        switch verify(text) {
        case .failure(let refusal):
            return self.terminate(
                at: index, text: refusal.systemText, joinReason: refusal.joinReason, context: context)
        case .success(let token):
            guard token.expiresAt > context.seconds else {
                let refusal = TokenRefusal.expired(secondsAgo: context.seconds - token.expiresAt)
                return self.terminate(
                    at: index, text: refusal.systemText, joinReason: refusal.joinReason, context: context)
            }
            // Whose rights bind the channel was settled when it joined: none for the service role, so that one must not
            // become a user's, whose removal would then go unnoticed.
            guard token.subject == channel.token.subject, token.isService == channel.token.isService else {
                return self.terminate(
                    at: index, text: ProtocolText.System.noPermission(subTopic: channel.subTopic),
                    joinReason: JoinRefusal.unauthorized(channel.subTopic).reason, context: context)
            }
            self.channels[index].refreshing = token
            return [
                .authorize(
                    Authorization(
                        channel: channel.id, topic: channel.topic, token: token, replay: .none, isRefresh: true))
            ]
        }
    }

    /// The answer to a refresh. Without a database the channel keeps its rights as long as who it is stays the same:
    /// their end would come through the log.
    mutating func refreshed(
        at index: Int, _ question: Authorization, _ answer: AuthorizationAnswer, context: SessionContext
    ) -> [SessionAction] {
        let channel = self.channels[index]
        guard channel.refreshing == question.token else { return [] }
        switch answer {
        case .allowed: break
        case .failed where question.token.role == channel.token.role: break
        case .denied, .failed:
            return self.terminate(
                at: index, text: ProtocolText.System.permissionLost(subTopic: channel.subTopic),
                joinReason: JoinRefusal.unauthorized(channel.subTopic).reason, context: context)
        }
        self.channels[index].token = question.token
        self.channels[index].refreshing = nil
        return []
    }
}
