/// The WebSocket side of a connection.
extension Connection {
    /// Payload of an unfinished frame that counts as a sign of life.
    private static let progressStep = 16 * 1024

    /// Answers the handshake and opens the socket; `rest` is what came after the request.
    func becomeSocket(key: String, context: AnyObject, rest: UnsafeRawBufferPointer) {
        let configuration = self.server.configuration
        self.enqueue(Frame(verbatim: Handshake.response(key: key)))
        self.phase = .webSocket
        self.http = nil
        self.decoder = FrameDecoder(
            maxMessageBytes: configuration.maxMessageBytes, maxFragments: configuration.maxFragments)
        let socket = self.server.makeSocket(self, context: context)
        self.socket = socket
        self.touch()
        self.server.handler?.opened(socket)
        self.receiveFrames(rest, 0)
    }

    func receiveFrames(_ input: UnsafeRawBufferPointer, _ start: Int) {
        var index = start
        self.progress += input.count - start
        if self.progress >= Self.progressStep { self.touch() }
        while self.phase == .webSocket, let event = self.decoder?.read(input, &index) {
            self.touch()
            switch event {
            case .message(let message):
                guard let socket else { return }
                self.server.handler?.received(socket, message)
            case .ping(let payload): self.send(Frame(opcode: .pong, payload: payload))
            case .pong: break
            case .close(let code):
                self.enqueue(Frame(closeCode: code, reason: ""))
                self.beginClosing()
            case .failure(let failure): self.closeSocket(code: failure.code, reason: failure.reason)
            }
        }
    }

    func send(_ frame: Frame) {
        guard self.phase == .webSocket else { return }
        guard self.queuedBytes + frame.bytes.count <= self.server.configuration.maxQueuedBytes else {
            return self.closeSlowConsumer()
        }
        self.enqueue(frame)
    }

    func closeSocket(code: UInt16, reason: String) {
        guard self.phase == .webSocket else { return }
        self.enqueue(Frame(closeCode: code, reason: reason))
        self.beginClosing()
    }

    private func touch() {
        self.progress = 0
        self.deadline = self.server.now + self.server.limits.idle
    }
}
