/// What a `SocketSession` asks its hub to do; to be carried out in the order given.
public enum SessionAction: Sendable, Equatable {
    /// Send a frame to this socket.
    case send(WirePayload)
    /// Ask the database whether the holder of a token may read a topic, and answer with `authorized`.
    case authorize(Authorization)
    /// A join was refused, for the reason that this code names.
    case joinRefused(String)
    /// The channel was accepted: send its presence state, its replay and what it missed, then let it live.
    case goLive(ChannelID)
    /// The channel is gone: end its routes and its presence. Harmless for one that never went live.
    case drop(ChannelID)
    /// Tell a channel who is present.
    case presenceState(ChannelID)
    /// Make a channel present; answer with `tracked`.
    case track(PresenceTrack)
    case untrack(ChannelID)
    /// Forward a broadcast to the channels of a topic, as far as the budget goes; answer with `published`.
    case publish(Publication, SocketCommand.Reply?)
    /// Tell the others of a conversation that a user types, as often as the throttle allows.
    case typing(Typing)
    /// Remember what the user of this socket looks at.
    case focus(Focus)
    /// Run a command as the caller; answer with `commandFinished` exactly once.
    case command(SocketCommand)
    /// Close the socket.
    case close(code: UInt16, reason: String)
}
