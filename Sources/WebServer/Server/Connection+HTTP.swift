/// The HTTP side of a connection.
extension Connection {
    /// Bytes of unsent responses beyond which no further pipelined request is read.
    static let pipelineBytes = 256 * 1024

    func receiveHTTP(_ input: UnsafeRawBufferPointer) {
        guard let http else { return }
        if http.pending != nil || http.isHoldingInput {
            // At most one read's worth: reading is paused from here on.
            http.early.append(contentsOf: input)
            self.updateInterest()
        } else {
            self.readRequests(input)
        }
    }

    /// Goes on with what came too early. Called at the end of a turn.
    func resume() {
        guard self.phase == .http, let http else { return }
        http.isResumeDue = false
        guard http.pending == nil, http.isHoldingInput else { return }
        let early = http.early
        http.early = []
        early.withUnsafeBytes { self.readRequests($0) }
        self.count()
        self.updateInterest()
    }

    /// Everything sent: pipelined requests that waited for room may go on.
    func queueDrained() { self.scheduleResume() }

    private func scheduleResume() {
        guard let http, http.isHoldingInput, http.pending == nil, !http.isResumeDue else { return }
        http.isResumeDue = true
        self.server.resumable.append(self)
    }

    private func readRequests(_ input: UnsafeRawBufferPointer) {
        guard let http, !input.isEmpty else { return }
        var index = 0
        http.isReading = true
        defer { http.isReading = false }
        while self.phase == .http, index < input.count {
            let wasIdle = http.reader.isIdle
            switch http.reader.read(input, &index) {
            case .needsMore:
                // From its first byte a head has its time. Empty lines before it win none.
                if wasIdle, !http.reader.isIdle { self.deadline = self.server.now + self.server.limits.header }
                return
            case .awaitsBody(let head):
                if head.asksForWebSocket { return self.refuse(HTTPFailure(400, "An upgrade must not have a body.")) }
                if let failure = self.lackOfRoom(head) { return self.refuse(failure) }
                if head.expectsContinue {
                    self.enqueue(Frame(verbatim: Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)))
                }
                self.deadline = self.server.now + self.server.limits.body
            case .failed(let failure): return self.refuse(failure)
            case .complete(let head, let body):
                let rest = UnsafeRawBufferPointer(rebasing: input[index...])
                self.dispatch(head, body, rest: rest)
                guard self.phase == .http else { return }
                if http.pending != nil || self.queuedBytes > Self.pipelineBytes {
                    http.early.append(contentsOf: rest)
                    return self.updateInterest()
                }
            }
        }
    }

    private func dispatch(_ head: RequestHead, _ body: [UInt8], rest: UnsafeRawBufferPointer) {
        guard let http, let handler = self.server.handler else { return }
        if let failure = self.lackOfRoom(head) { return self.refuse(failure) }
        let serial = http.begin(head, bodyBytes: body.count)
        self.deadline = self.server.now + self.server.limits.response
        let request = HTTPRequest(
            method: head.method, path: head.path, query: head.query, headers: head.headers, body: body,
            peer: http.peer)
        guard head.asksForWebSocket else {
            let bound = LoopBound(self, thread: self.server.loop.thread)
            let responder = HTTPResponder(
                loop: self.server.loop, transit: self.server.transit, answer: { bound.onLoop.respond(serial, $0) },
                attribute: { bound.onLoop.attribute(to: $0) })
            http.pending?.responder = responder
            return handler.handle(request, responder)
        }
        do throws(HTTPFailure) {
            let key = try Handshake.key(of: head)
            guard !self.server.isStopping else { throw HTTPFailure(503, "The server is going down; connect again.") }
            switch handler.upgrade(request) {
            case .accept(let context): self.becomeSocket(key: key, context: context, rest: rest)
            case .refuse(let response): self.respond(serial, response)
            }
        } catch {
            var response = error.response
            if error.status == 426 { response.headers += [("upgrade", "websocket"), ("sec-websocket-version", "13")] }
            self.respond(serial, response)
        }
    }

    /// Answers the request with this number, if it still waits.
    func respond(_ serial: UInt64, _ response: HTTPResponse) {
        guard self.phase == .http, let http, let pending = http.pending, pending.serial == serial else { return }
        http.pending = nil
        self.count()
        let keepsAlive = pending.keepsAlive && !self.server.isStopping && self.refusal == nil
        let failure = pending.isHead ? nil : self.server.refusal(of: response.body.count, for: self)
        self.send(failure?.response ?? response, isHead: pending.isHead, keepsAlive: keepsAlive)
        guard keepsAlive else { return self.beginClosing() }
        self.deadline = self.server.now + self.server.limits.keepAlive
        if !http.isReading { self.scheduleResume() }
    }

    /// Answers what could not be read as a request, and closes: what follows cannot be read either.
    private func refuse(_ failure: HTTPFailure) {
        self.send(failure.response, isHead: false, keepsAlive: false)
        self.beginClosing()
    }

    /// Why a request is refused before its handler sees it, and before its body is read.
    private func lackOfRoom(_ head: RequestHead) -> HTTPFailure? {
        guard !self.server.configuration.alwaysServed.contains(head.path) else { return nil }
        if let refusal { return refusal }
        var coming = 0
        if case .length(let count) = head.framing, self.http?.reader.isReadingBody == true { coming = count }
        guard !self.server.held.hasRoom(for: coming) else { return nil }
        self.server.refusals.requests += 1
        return HTTPFailure(503, "The server holds too much for others; try again soon.", retryAfter: 2)
    }

    /// Names the user behind the connection. - Returns: false when that user has too many; then nothing changes.
    func attribute(to key: String) -> Bool {
        guard var pass = self.pass else { return false }
        defer { self.pass = pass }
        return self.server.admission.prove(&pass, key: key, now: self.server.now)
    }

    private func send(_ response: HTTPResponse, isHead: Bool, keepsAlive: Bool) {
        let head = ResponseEncoder.head(response, keepsAlive: keepsAlive, date: self.server.date)
        self.enqueue(Frame(verbatim: head))
        if !isHead, ResponseEncoder.hasBody(response), !response.body.isEmpty {
            self.enqueue(Frame(verbatim: response.body))
        }
    }

    /// Too slow, or idle for too long.
    func expireHTTP() {
        guard let http else { return self.kill() }
        if let refusal {
            self.refuse(refusal)
        } else if http.pending != nil {
            self.refuse(HTTPFailure(504, "The request took too long to answer."))
        } else if http.reader.isIdle, !http.isHoldingInput {
            // Nothing of a request has come: there is nothing to answer.
            self.kill()
        } else {
            self.refuse(HTTPFailure(408, "The request took too long to arrive."))
        }
    }

    /// True while a response leaves and no request is being read or answered.
    var isSendingResponse: Bool {
        switch self.phase {
        case .http: self.http?.pending == nil && self.http?.reader.isIdle == true
        case .closing: self.isLastResponse
        default: false
        }
    }

    /// True while a request waits for its answer, or an answer leaves.
    var isAnswering: Bool { self.http?.pending != nil || self.queuedBytes > 0 }

    /// True when closing this connection interrupts nobody.
    var isIdleHTTP: Bool {
        guard self.phase == .http, let http else { return false }
        return http.pending == nil && http.reader.isIdle && !http.isHoldingInput && self.queuedBytes == 0
    }
}
