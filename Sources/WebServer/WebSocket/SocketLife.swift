/// When an open socket is pinged, and when it has been silent, or of no use, for too long. No I/O; the clock, in
/// milliseconds, is passed in.
struct SocketLife {
    enum Action: Equatable {
        /// Look again then.
        case wait(until: Int64)
        /// Send a ping, and look again then.
        case ping(until: Int64)
        /// Close: not a frame has come for too long.
        case silent
        /// Close: the handler has not established it in time.
        case unestablished
    }

    let idle: Int64
    private(set) var ping: Int64
    let establish: Int64
    private let opened: Int64
    private var heardAt: Int64
    private var pingedAt: Int64
    private var isEstablished = false

    init(idle: Int64, ping: Int64, establish: Int64, now: Int64) {
        self.idle = idle
        self.ping = ping
        self.establish = establish
        self.opened = now
        self.heardAt = now
        self.pingedAt = now
    }

    /// A frame came, of whatever kind.
    mutating func heard(_ now: Int64) { self.heardAt = now }

    mutating func established() { self.isEstablished = true }

    /// How long nothing has come.
    func silence(_ now: Int64) -> Int64 { now - self.heardAt }

    /// From now on pings are no further apart than that.
    mutating func ping(every interval: Int64) { self.ping = min(self.ping, interval) }

    /// What is due. Called when the time it named has come, and once at the start.
    mutating func due(_ now: Int64) -> Action {
        if now - self.heardAt >= self.idle { return .silent }
        if !self.isEstablished, now - self.opened >= self.establish { return .unestablished }
        let isPing = now - self.pingedAt >= self.ping
        if isPing { self.pingedAt = now }
        var next = min(self.heardAt + self.idle, self.pingedAt + self.ping)
        if !self.isEstablished { next = min(next, self.opened + self.establish) }
        return isPing ? .ping(until: next) : .wait(until: next)
    }
}
