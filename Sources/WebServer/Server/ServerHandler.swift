/// What to do with a request to become a WebSocket.
public enum UpgradeDecision: Sendable {
    /// Open it; `context` becomes the socket's ``WebSocket/context``.
    case accept(context: any AnyObject & Sendable)
    /// Answer as plain HTTP instead.
    case refuse(HTTPResponse)
}

/// The application behind a ``WebServer``. Every call comes on the loop's thread, one at a time, and must not block.
///
/// None of them is called from within ``WebSocket/send(_:)``, ``WebSocket/close(code:reason:)`` or
/// ``HTTPResponder/respond(_:)``: an implementation may call these with its own state half changed.
public protocol ServerHandler: AnyObject, Sendable {
    /// A complete request, body included, within the limits. It must be answered once through `responder`, now or
    /// later; a responder that is dropped unanswered answers 500.
    func handle(_ request: HTTPRequest, _ responder: HTTPResponder)

    /// A well-formed request to upgrade to a WebSocket, of any path. Called before anything is sent.
    func upgrade(_ request: HTTPRequest) -> UpgradeDecision

    /// The handshake is done. Called once, before the first message; the socket may be written from now on.
    func opened(_ socket: WebSocket)

    /// A complete message, within the limits; text is valid UTF-8.
    func received(_ socket: WebSocket, _ message: SocketMessage)

    /// The socket is closing or gone, for whatever reason. Called once for every opened socket; nothing is received
    /// after it, and what is sent goes nowhere.
    func closed(_ socket: WebSocket)
}
