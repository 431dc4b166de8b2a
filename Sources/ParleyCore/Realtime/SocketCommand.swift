/// A command that came through a channel.
public struct SocketCommand: Sendable, Equatable {
    /// Where the answer goes.
    public struct Reply: Sendable, Equatable {
        public var joinRef: String?
        public var ref: String?
        /// With the `realtime:` prefix.
        public var topic: String
    }

    public var command: DatabaseCommand
    /// Whose command it is.
    public var token: SessionToken
    /// Nil when the client did not ask for an acknowledgement.
    public var reply: Reply?

    public init(command: DatabaseCommand, token: SessionToken, reply: Reply?) {
        self.command = command
        self.token = token
        self.reply = reply
    }
}
