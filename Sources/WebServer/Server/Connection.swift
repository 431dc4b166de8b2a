internal import CWebSockets
internal import Glibc

/// One accepted connection, from the first byte to the last. Confined to the loop's thread.
///
/// It is the seam between libwebsockets, which moves bytes (TLS included), and the two protocols. What it sends is
/// queued and leaves at the end of the loop's turn. What closes it is noted and done at the end of the turn, so that
/// no callback of lws ever finds its connection gone.
final class Connection {
    enum Phase: Equatable {
        case http
        case webSocket
        /// A last response or close frame waits to leave; input is discarded.
        case closing
        /// Everything has left and our side is shut; input is discarded until the peer closes too.
        case draining
        case dead
    }

    unowned let server: ServerCore
    /// The lws connection; nil before adoption and after its end.
    var wsi: OpaquePointer?
    /// The place in the server's table.
    var slot = 0
    var phase = Phase.http
    /// Milliseconds of the loop's clock when ``expire()`` is due.
    var deadline: Int64

    /// Its place by ``Admission``; nil in the annex, and once the connection has ended.
    var pass: Admission.Pass?
    /// What every request is answered that asks for no path always served: the connection is in the annex.
    var refusal: HTTPFailure?
    /// What limits count as its address.
    var group: String { self.pass?.address ?? "" }
    /// When it came, in milliseconds of the loop's clock.
    let birth: Int64

    private(set) var queue = SendQueue()
    /// Bytes handed to lws that the kernel has not taken. lws takes nothing more until they have left.
    private var inFlight = 0
    /// What the server's ``HeldBytes`` knows of `inFlight` and of unfinished input.
    private var counted = 0
    /// When the kernel last took bytes, or there were none, and when bytes last came.
    private var sentAt: Int64
    private var receivedAt: Int64
    private var isDirty = false
    /// Closing after an HTTP response, not after a close frame.
    private(set) var isLastResponse = false
    /// The socket took all that one turn may write, and there is more.
    private var hasMoreToWrite = false
    private var interest: LoopContext.Interest = []

    /// The HTTP side; nil after an upgrade.
    var http: HTTPExchange?
    /// The WebSocket side; nil before an upgrade.
    var decoder: FrameDecoder?
    var socket: WebSocket?
    /// Payload bytes since the last sign of life.
    var progress = 0
    var life: SocketLife?
    var budget: FrameBudget?

    init(server: ServerCore, peer: String) {
        self.server = server
        self.birth = server.now
        self.sentAt = server.now
        self.receivedAt = server.now
        self.http = HTTPExchange(
            reader: RequestReader(
                maxHeaderBytes: server.configuration.maxHeaderBytes, maxBodyBytes: server.configuration.maxBodyBytes),
            peer: peer)
        self.deadline = server.now + server.limits.header
    }

    var queuedBytes: Int { self.queue.bytes + self.inFlight }

    /// lws has taken the socket over.
    func adopted(_ wsi: OpaquePointer) {
        self.wsi = wsi
        self.interest = [.readable]
        self.server.loop.context.watch(lws_get_socket_fd(wsi), self.interest, isNew: true)
    }

    // MARK: - Input

    /// Bytes from the peer. They are valid during the call only.
    func receive(_ input: UnsafeRawBufferPointer) {
        switch self.phase {
        case .http: self.receiveHTTP(input)
        case .webSocket: self.receiveFrames(input, 0)
        case .closing, .draining, .dead: break
        }
        self.receivedAt = self.server.now
        self.count()
    }

    // MARK: - Memory

    /// Bytes of what has not come completely, or is being answered.
    private var inputBytes: Int {
        (self.http.map { $0.reader.heldBytes + $0.early.count + $0.bodyBytes } ?? 0) + (self.decoder?.heldBytes ?? 0)
    }

    /// What closing it would free, shared frames included.
    var heldBytes: Int { self.queuedBytes + self.inputBytes }

    /// Its peer moves nothing of what it holds.
    var isStalled: Bool {
        let since = self.queuedBytes >= self.inputBytes ? self.sentAt : self.receivedAt
        return self.server.now - since >= self.server.limits.stall
    }

    /// Tells the server's account what has changed. Called after whatever changes input or output.
    func count() {
        let held = self.inFlight + self.inputBytes
        self.server.held.add(self.queue.settle() + held - self.counted)
        self.counted = held
    }

    /// Closes for the sake of others: a socket with a close frame, if that frees it, and else at once.
    func makeWay() {
        if self.phase == .webSocket { self.closeSlowConsumer() }
        if self.phase != .closing || self.heldBytes >= HeldBytes.worthClosing { self.kill() }
    }

    /// Tells the loop what to wait for. Reading stops while a request waits for its answer and more came, and while lws
    /// holds bytes back: it does not read then, and a readable socket would wake the loop for ever.
    func updateInterest() {
        guard let wsi else { return }
        let isPaused = self.inFlight > 0 || (self.phase == .http && self.http?.isHoldingInput == true)
        var wanted: LoopContext.Interest = isPaused ? [] : [.readable]
        if self.inFlight > 0 || self.hasMoreToWrite { wanted.insert(.writable) }
        guard wanted != self.interest else { return }
        if isPaused == self.interest.contains(.readable) { lws_rx_flow_control(wsi, isPaused ? 0 : 1) }
        self.interest = wanted
        self.server.loop.context.watch(lws_get_socket_fd(wsi), wanted, isNew: false)
    }

    // MARK: - Output

    func enqueue(_ frame: Frame) {
        if self.queuedBytes == 0 { self.sentAt = self.server.now }
        self.queue.append(frame)
        self.count()
        self.markDirty()
    }

    func markDirty() {
        guard !self.isDirty else { return }
        self.isDirty = true
        self.server.dirty.append(self)
    }

    /// Writes what waits, at the end of a turn. Never called from within a callback of lws.
    func flush(_ scratch: UnsafeMutableRawBufferPointer) {
        self.isDirty = false
        guard self.wsi != nil, self.phase != .dead, self.inFlight == 0 else { return }
        self.writeQueue(scratch)
        self.afterWriting()
    }

    /// The kernel has taken what was in flight.
    func becameWritable(_ scratch: UnsafeMutableRawBufferPointer) {
        guard self.wsi != nil, self.phase != .dead else { return }
        self.inFlight = 0
        self.sentAt = self.server.now
        // A slow reader of a long response is not idle.
        if self.isSendingResponse { self.deadline = self.server.now + self.server.limits.keepAlive }
        self.writeQueue(scratch)
        self.afterWriting()
    }

    private func writeQueue(_ scratch: UnsafeMutableRawBufferPointer) {
        guard let wsi else { return }
        self.hasMoreToWrite = false
        // A bounded number of writes per turn, so that one fast reader of much does not hold up the others.
        for _ in 0..<4 {
            let count = self.queue.fill(scratch)
            guard count > 0 else { return }
            guard cws_write(wsi, scratch.baseAddress, count) >= 0 else { return self.kill() }
            self.sentAt = self.server.now
            if lws_partial_buffered(wsi) != 0 {
                self.inFlight = count
                return
            }
        }
        guard !self.queue.isEmpty else { return }
        self.hasMoreToWrite = true
        lws_callback_on_writable(wsi)
    }

    private func afterWriting() {
        guard self.phase != .dead else { return }
        self.count()
        if self.inFlight == 0, self.queue.isEmpty {
            if self.phase == .closing { self.finishSending() }
            if self.phase == .http { self.queueDrained() }
        }
        self.updateInterest()
    }

    private func finishSending() {
        self.phase = .draining
        self.deadline = self.server.now + self.server.limits.close
        guard let wsi, lws_is_ssl(wsi) == 0 else { return self.kill() }
        // Closing at once could destroy the last bytes on their way, if the peer still sends.
        shutdown(lws_get_socket_fd(wsi), Int32(SHUT_WR))
    }

    // MARK: - End

    /// Sends what waits, then closes.
    func beginClosing() {
        guard self.phase == .http || self.phase == .webSocket else { return }
        self.isLastResponse = self.phase == .http
        self.deadline =
            self.server.now + (self.isLastResponse ? self.server.limits.keepAlive : self.server.limits.close)
        self.phase = .closing
        self.http = nil
        self.decoder = nil
        self.detachSocket()
        self.count()
        self.markDirty()
    }

    /// Closes without another byte, at the end of the turn.
    func kill() {
        guard self.phase != .dead else { return }
        self.end()
        self.server.doomed.append(self)
    }

    /// lws has closed the connection. Called from its close callback.
    func gone() {
        self.wsi = nil
        self.end()
        self.server.remove(self)
    }

    private func end() {
        self.phase = .dead
        self.queue.dropAll()
        self.inFlight = 0
        self.http?.pending?.responder?.abandon()
        self.http = nil
        self.decoder = nil
        self.count()
        self.server.vacate(self)
        self.detachSocket()
    }

    private func detachSocket() {
        guard let socket else { return }
        self.socket = nil
        socket.detach()
        self.server.closedSockets.append(socket)
    }

    /// Drops what has not begun to leave, and closes a socket whose peer reads too slowly.
    func closeSlowConsumer() {
        self.queue.dropUnstarted()
        self.queue.append(Frame(closeCode: 1013, reason: "slow consumer"))
        self.beginClosing()
    }

    /// The deadline has passed.
    func expire() {
        switch self.phase {
        case .http: self.expireHTTP()
        case .webSocket: self.expireSocket()
        case .closing, .draining: self.kill()
        case .dead: break
        }
    }
}
