/// One open WebSocket. Every member but ``id`` must be used on the loop's thread; elsewhere it stops the program.
public final class WebSocket: @unchecked Sendable {
    // Sendable because every access to its mutable state first checks that the caller is on the loop's thread.

    /// Unique within the process.
    public let id: UInt64
    private let thread: LoopThread
    private var storedContext: AnyObject?
    /// Nil once the socket is closing or gone.
    private var connection: Connection?

    init(id: UInt64, connection: Connection, context: AnyObject, thread: LoopThread) {
        self.id = id
        self.thread = thread
        self.connection = connection
        self.storedContext = context
    }

    /// What the handler bound to the socket when it accepted the upgrade. Released when the socket closed.
    public var context: AnyObject? {
        get {
            self.thread.check()
            return self.storedContext
        }
        set {
            self.thread.check()
            self.storedContext = newValue
        }
    }

    /// True until the socket is closing or gone.
    public var isOpen: Bool {
        self.thread.check()
        return self.connection != nil
    }

    /// Bytes that wait to be sent, those included that the kernel did not take yet.
    public var queuedBytes: Int {
        self.thread.check()
        return self.connection?.queuedBytes ?? 0
    }

    /// Names the user behind the socket: it no longer counts against its address, which is known from now on, but against
    /// the user. To be called once the user is verified; the last one named counts.
    /// - Returns: false when this user has as many connections as are allowed; then nothing changes.
    public func attribute(to key: String) -> Bool {
        self.thread.check()
        return self.connection?.attribute(to: key) ?? false
    }

    /// The socket is of use, for example a channel was joined: until then the server allows it `establishTimeout`.
    public func establish() {
        self.thread.check()
        self.connection?.life?.established()
    }

    /// Others rely on this socket's being there: it is pinged every `attentivePingInterval` from now on.
    public func attend() {
        self.thread.check()
        self.connection?.attend()
    }

    /// For how long no frame of any kind has come.
    public var silence: Duration {
        self.thread.check()
        return self.connection?.silence ?? .zero
    }

    /// Sends a frame after those before it; all that is sent in one turn of the loop leaves in one write.
    ///
    /// When more than `maxQueuedBytes` would wait, the socket is closed with 1013 instead, and what waited is dropped
    /// at once. Nothing happens on a closed socket.
    public func send(_ frame: Frame) {
        self.thread.check()
        self.connection?.send(frame)
    }

    /// Sends a close frame after everything that waits, and closes. Only the first call counts.
    /// ``ServerHandler/closed(_:)`` follows at the end of the loop's turn.
    /// - Parameters:
    ///   - code: a code that may be sent (1000 to 1003, 1007 to 1014, 3000 to 4999).
    ///   - reason: for people; cut to 123 bytes of UTF-8.
    public func close(code: UInt16, reason: String) {
        self.thread.check()
        self.connection?.closeSocket(code: code, reason: reason)
    }

    /// The connection is closing or gone. Loop thread only.
    func detach() { self.connection = nil }

    /// After the handler was told. Loop thread only.
    func releaseContext() { self.storedContext = nil }
}
