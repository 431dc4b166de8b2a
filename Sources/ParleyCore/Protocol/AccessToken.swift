/// Tokens as clients send them after the handshake.
public enum AccessToken {
    /// Nil for what means "keep the token there is": absent, null, or an opaque key of the `sb_` kind.
    static func effective(_ token: String?) -> String? {
        guard let token, !token.utf8.starts(with: "sb_".utf8) else { return nil }
        return token
    }

    /// The new token of an `access_token` message; nil if the message has no effect. There is never a reply to it.
    ///
    /// An empty token is returned: it is invalid, and closes the channel. A token that is not a string counts as absent.
    public static func update(payload: [UInt8]) -> String? {
        Self.effective(try? RawJSON(payload)["access_token"]?.string)
    }
}
