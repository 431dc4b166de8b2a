/// One membership of one topic on one socket.
public struct Channel: Sendable {
    enum State: Sendable {
        /// Waiting for the database; holds the `ref` and `join_ref` of the join, and what the client sent meanwhile,
        /// within the bounds of `SessionLimits`.
        case joining(ref: String?, joinRef: String?, deferred: [ClientMessage])
        case joined
    }

    public let id: ChannelID
    /// With the `realtime:` prefix.
    public let name: String
    public let topic: Topic
    public internal(set) var token: SessionToken
    /// Whether `presence_state` and the key below are wanted.
    public internal(set) var presenceEnabled: Bool
    /// The key under which this channel is tracked.
    public internal(set) var presenceKey: String
    var state: State
    /// Joins of this topic that this one overtook before they were decided: they get its answer.
    var overtaken: [ClientMessage] = []
    /// What `phx_close` refers to.
    public let joinRef: String?
    let ack: Bool
    let hearsItself: Bool
    /// The `response` of the join, kept until it is answered.
    var joinResponse: [UInt8]
    /// The changes of a table that the join asked for and nobody serves, kept until the client is told.
    var unservedChanges: String?
    /// A newer token that the database has not confirmed yet.
    var refreshing: SessionToken?
    var presenceCalls: UInt16 = 0
    var presenceWindowStart: Int64 = 0

    /// The joins that wait for the database's answer, the oldest first; none once it came.
    var waitingJoins: [ClientMessage] {
        guard case .joining(let ref, let joinRef, _) = self.state else { return [] }
        let join = ClientMessage(
            joinRef: joinRef, ref: ref, topic: self.name, event: "phx_join", payload: .json([]))
        return self.overtaken + [join]
    }

    public var isJoined: Bool {
        if case .joined = self.state { return true }
        return false
    }

    /// Bytes of the messages that wait for the join.
    var deferredBytes: Int {
        guard case .joining(_, _, let deferred) = self.state else { return 0 }
        return deferred.reduce(0) { $0 + $1.size }
    }

    /// The topic as the client wrote it, without prefix.
    var subTopic: String { Topic.subTopic(ofWire: self.name) ?? self.name }

    /// False when the client wrote the topic's id in another way, and has to be answered in kind.
    public var isCanonical: Bool { self.name == self.topic.wire }

    /// When the channel has to close, in Unix seconds.
    public var expiresAt: Int64 { (self.refreshing ?? self.token).expiresAt }

    /// Counts a presence call; false when the window is full.
    mutating func countPresenceCall(second: Int64, limits: SessionLimits) -> Bool {
        if second - self.presenceWindowStart >= limits.presenceWindow {
            self.presenceWindowStart = second
            self.presenceCalls = 0
        }
        guard Int(self.presenceCalls) < limits.presenceCalls else { return false }
        self.presenceCalls += 1
        return true
    }
}
