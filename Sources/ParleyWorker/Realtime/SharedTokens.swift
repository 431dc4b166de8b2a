internal import ParleyCore

/// Lets the many sockets that come with the same API key share one token. Bounded: when full it starts anew.
struct SharedTokens {
    private static let capacity = 256
    private var tokens: [Int: SessionToken] = [:]

    /// The token to use for one that was just verified: an equal one of before, if it is remembered.
    mutating func shared(_ token: SessionToken) -> SessionToken {
        if let known = self.tokens[token.fingerprint], known.claims == token.claims { return known }
        if self.tokens.count >= Self.capacity { self.tokens = [:] }
        self.tokens[token.fingerprint] = token
        return token
    }
}
