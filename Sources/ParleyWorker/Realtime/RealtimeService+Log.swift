public import ParleyCore
internal import Support
internal import WebServer

extension RealtimeService {
    /// Fans out a batch of the log; returns when its frames are with their sockets.
    ///
    /// - Parameters:
    ///   - events: in the order of the log.
    ///   - cursor: the position after them.
    public func apply(_ events: [LogEvent], cursor: LogCursor) async {
        var turn = 0
        for event in events {
            turn += self.apply(event)
            if turn >= self.configuration.deliveriesPerTurn {
                turn = 0
                await Task.yield()
            }
        }
        self.index.advance(to: cursor)
    }

    /// - Returns: the frames handed to sockets.
    private func apply(_ event: LogEvent) -> Int {
        var frames = TopicFrames(event)
        var delivered = 0
        let days = self.daysOld(event)
        let effects = self.index.apply(event) { _, delivery in
            if self.isBeyondWindow(delivery.channel, days) { return }
            if self.deliver(delivery, &frames) { delivered += 1 }
        }
        self.applyLimits(event)
        self.metrics.deliveries += delivered
        self.gate.record(event)
        for id in effects.closed { self.revoke(id) }
        if let change = self.discretion.apply(event, isFollowed: self.isFollowed) { self.announce(change) }
        return delivered
    }

    /// Hands a frame to the socket of a channel; false when there is none to hand over.
    func deliver(_ delivery: MembershipIndex.Delivery, _ frames: inout TopicFrames) -> Bool {
        guard let connection = self.connections[delivery.channel.slot] else { return false }
        let frame: Frame?
        if delivery.isCanonical {
            frame = frames.frame(delivery.topic, delivery.version)
        } else {
            let name = connection.session.channel(delivery.channel)?.name
            frame = name.flatMap { frames.frame(delivery.version, $0) }
        }
        guard let frame else { return false }
        connection.socket.send(frame)
        return true
    }

    /// The tail reads the log, or it cannot: without it no join can be live, but who is live stays.
    public func tailChanged(isLive: Bool) {
        self.tailIsLive = isLive
        if isLive { self.wasLive = true }
    }

    /// The log is another one now (restore, failover): every position is void, and every client starts anew.
    public func epochChanged() {
        self.tailIsLive = false
        self.index.forgetPositions()
        let sockets = self.connections.count
        self.log.warning("the log changed its epoch; all sockets are closed", [("sockets", "\(sockets)")])
        for connection in self.connections.all { connection.socket.close(code: 1012, reason: "service restart") }
    }

    /// Refuses new sockets and joins, and closes the open sockets evenly over a time, with the code that brings clients
    /// back elsewhere. A socket whose turn comes while commands of it are under way takes no more of them, and
    /// closes when they are answered.
    ///
    /// - Parameter limit: when sockets are closed whatever they wait for, counted from now.
    public func drain(over time: Duration, atMost limit: Duration) async {
        guard !self.draining else { return }
        self.draining = true
        let deadline = ContinuousClock.now + limit
        let all = self.connections.all
        let pause = Duration.milliseconds(50)
        let steps = max(1, Int(time / pause))
        let share = (all.count + steps - 1) / steps
        var next = all[...]
        while !next.isEmpty || (self.connections.count > 0 && .now < deadline) {
            for connection in next.prefix(share) { self.perform(connection.session.finish(), for: connection) }
            next = next.dropFirst(share)
            // A cancelled task cannot pause: then all are closed at once.
            guard (try? await Task.sleep(for: pause)) != nil else { break }
        }
        for connection in self.connections.all { connection.socket.close(code: 1012, reason: "service restart") }
    }
}
