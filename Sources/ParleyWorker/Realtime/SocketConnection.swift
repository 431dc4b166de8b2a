internal import FoundationEssentials
internal import ParleyCore
internal import PostgresClient
internal import WebServer

/// What an accepted upgrade leaves for the socket that it becomes.
final class Handshake: Sendable {
    let version: SerializerVersion
    let token: SessionToken

    init(version: SerializerVersion, token: SessionToken) {
        self.version = version
        self.token = token
    }
}

/// One open socket and its session. Lives in the table of the service, on the loop.
final class SocketConnection {
    let socket: WebSocket
    let slot: UInt32
    var session: SocketSession
    /// Whose it is, from the first join on.
    var user: UUID?
    /// Takes back the joins that the database has not decided when the socket closes.
    let joins = PoolCancellation()

    init(socket: WebSocket, slot: UInt32, session: SocketSession) {
        self.socket = socket
        self.slot = slot
        self.session = session
    }

    func send(_ payload: WirePayload) { self.socket.send(Frame(payload)) }
}

extension Frame {
    convenience init(_ payload: WirePayload) {
        switch payload {
        case .text(let bytes): self.init(text: bytes)
        case .binary(let bytes): self.init(binary: bytes)
        }
    }
}
