/// The HTTP side of a connection: the request being read or answered, and what came too early.
final class HTTPExchange {
    /// What is known of the request that waits for its answer.
    struct Pending {
        /// Tells answers to earlier requests apart.
        var serial: UInt64
        var isHead: Bool
        var keepsAlive: Bool
        /// Bytes of the body that the handler holds.
        var bodyBytes: Int
        /// Told when the client leaves.
        weak var responder: HTTPResponder?
    }

    var reader: RequestReader
    let peer: String
    var pending: Pending?
    /// Input that came before the answer to the request ahead of it was given.
    var early: [UInt8] = []
    /// Guards against reading on from within the loop that reads.
    var isReading = false
    var isResumeDue = false
    private var lastSerial: UInt64 = 0

    init(reader: RequestReader, peer: String) {
        self.reader = reader
        self.peer = peer
    }

    var bodyBytes: Int { self.pending?.bodyBytes ?? 0 }

    var isHoldingInput: Bool { !self.early.isEmpty }

    /// - Returns: the serial number of the request that is to be answered now.
    func begin(_ head: RequestHead, bodyBytes: Int) -> UInt64 {
        self.lastSerial += 1
        self.pending = Pending(
            serial: self.lastSerial, isHead: head.method == "HEAD", keepsAlive: head.keepsAlive, bodyBytes: bodyBytes)
        return self.lastSerial
    }
}
