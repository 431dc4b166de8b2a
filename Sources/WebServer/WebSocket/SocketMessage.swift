/// A complete message from a WebSocket, put together from its fragments.
public enum SocketMessage: Sendable, Equatable {
    /// Valid UTF-8.
    case text([UInt8])
    case binary([UInt8])
}
