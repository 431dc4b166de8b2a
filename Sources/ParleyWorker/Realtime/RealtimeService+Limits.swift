internal import FoundationEssentials
internal import ParleyCore
internal import WebServer

/// What plans say of sockets: how many a user has, and how old the messages are of which they hear.
extension RealtimeService {
    /// Users asked about in one statement.
    private static let usersPerQuestion = 500

    /// Takes what an event says of plans, at its position in the log.
    func applyLimits(_ event: LogEvent) {
        switch event.kind {
        case "entitlements:changed":
            // Also while they are asked for: the answer may be older than this.
            guard let user = event.userID, self.socketsByUser[user] != nil || self.limiter.knows(user) else { return }
            self.limiter.learn((try? RawJSON(event.payload))?["limits"], of: user)
            self.closeSurplus(of: user)
        case "limits:changed":
            self.limiter.doubt()
            self.askAgain(Array(self.socketsByUser.keys)[...])
        default: break
        }
    }

    /// Asks about all users with sockets, some at a time.
    func askAgain(_ users: ArraySlice<UUID>) {
        guard !users.isEmpty else { return }
        let some = Array(users.prefix(Self.usersPerQuestion))
        self.limiter.ask(some) { user, _ in self.onLoop { _ = $0.closeSurplus(of: user) } }
        self.askAgain(users.dropFirst(Self.usersPerQuestion))
    }

    // MARK: Sockets of a user

    func belong(_ connection: SocketConnection, to user: UUID) {
        guard connection.user != user else { return }
        self.leave(connection)
        connection.user = user
        self.socketsByUser[user, default: []].append(connection.slot)
        self.limiter.keep(user)
    }

    func leave(_ connection: SocketConnection) {
        guard let user = connection.user else { return }
        connection.user = nil
        self.socketsByUser[user]?.removeAll { $0 == connection.slot }
        guard self.socketsByUser[user]?.isEmpty ?? false else { return }
        self.socketsByUser[user] = nil
        self.limiter.release(user)
    }

    /// Closes the newest sockets of a user who has more than the plan allows. - Returns: their slots.
    @discardableResult
    func closeSurplus(of user: UUID) -> [UInt32] {
        guard let sockets = self.socketsByUser[user],
            let most = self.limiter.limits(of: user)?.maxConnections, sockets.count > most
        else { return [] }
        let surplus = Array(sockets.dropFirst(Int(most)))
        for slot in surplus {
            guard let connection = self.connections[slot] else { continue }
            self.leave(connection)
            Self.closeSurplus(connection)
        }
        return surplus
    }

    static func closeSurplus(_ connection: SocketConnection) {
        connection.socket.close(code: 1008, reason: "too many connections of this user")
    }

    // MARK: The window

    /// Whole days since the message of an event was sent; 0 for an event without one. Its id says when.
    func daysOld(_ event: LogEvent) -> Int64 {
        guard let id = event.messageID?.uuid else { return 0 }
        let milliseconds = [id.0, id.1, id.2, id.3, id.4, id.5].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        return max(0, (self.clock() - milliseconds) / 86_400_000)
    }

    /// Whether the user of a channel does not see back so many days.
    func isBeyondWindow(_ id: ChannelID, _ days: Int64) -> Bool {
        guard days > 0, let user = self.connections[id.slot]?.session.channel(id)?.token.boundUser,
            let most = self.limiter.limits(of: user)?.retentionDays
        else { return false }
        return days >= most
    }
}
