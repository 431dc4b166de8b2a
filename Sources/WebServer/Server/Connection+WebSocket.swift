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
        let limits = self.server.limits
        self.life = SocketLife(
            idle: limits.idle, ping: limits.ping, establish: limits.establish, now: self.server.now)
        self.budget = FrameBudget(now: self.server.now)
        let socket = self.server.makeSocket(self, context: context)
        self.socket = socket
        self.expireSocket()
        self.server.handler?.opened(socket)
        self.receiveFrames(rest, 0)
    }

    func receiveFrames(_ input: UnsafeRawBufferPointer, _ start: Int) {
        var index = start
        self.progress += input.count - start
        if self.progress >= Self.progressStep { self.touch() }
        let before = self.decoder?.overhead ?? 0
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
        guard let overhead = self.decoder?.overhead, overhead > before else { return }
        if self.budget?.take(overhead - before, now: self.server.now) == false {
            self.closeSocket(code: 1008, reason: "too many control frames or fragments")
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
        self.life?.heard(self.server.now)
    }

    func attend() {
        self.life?.ping(every: self.server.limits.attentivePing)
        self.expireSocket()
    }

    var silence: Duration { .milliseconds(self.life?.silence(self.server.now) ?? 0) }

    /// The socket's deadline has come, or is to be set.
    func expireSocket() {
        switch self.life?.due(self.server.now) {
        case .wait(let until): self.deadline = until
        case .ping(let until):
            self.deadline = until
            self.send(Frame(opcode: .ping, payload: []))
        case .silent: self.closeSocket(code: 1001, reason: "no frame came for too long")
        case .unestablished: self.closeSocket(code: 1008, reason: "nothing was joined in time")
        case nil: break
        }
    }
}
