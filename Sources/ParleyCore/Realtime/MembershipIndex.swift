public import FoundationEssentials

/// Who receives an event: the channels of its conversation and the inboxes of its participants.
///
/// Membership changes are events of the same log and take effect at their own position, before or after which nothing
/// else of that conversation can come: `participant:joined` adds routes before it is delivered, `participant:left` ends
/// them after. Every subscription starts from the position of the statement that allowed it; what that position contains
/// is neither delivered nor applied to it a second time.
public struct MembershipIndex: Sendable {
    /// One event for one channel.
    public struct Delivery: Sendable, Equatable {
        public var channel: ChannelID
        public var topic: Topic
        public var version: SerializerVersion
        /// False when the channel knows its topic under another spelling than the topic's own.
        public var isCanonical: Bool
    }

    /// What the owner has to do beyond delivering.
    public struct Effects: Sendable, Equatable {
        /// Channels whose user lost the right to them; already unsubscribed here.
        public var closed: [ChannelID] = []
    }

    /// A route into a conversation.
    private struct Route: Sendable {
        var channel: ChannelID
        /// The participant whose rights the route depends on; nil for the service role.
        var user: UUID?
        var historyFrom: Int64
        var version: SerializerVersion
        /// True for a `user:` topic.
        var isInbox: Bool
        var isCanonical: Bool
    }

    private struct Subscription: Sendable {
        var topic: Topic
        var version: SerializerVersion
        var user: UUID?
        var isCanonical: Bool
        /// Conversations with a route of this subscription.
        var conversations: [UUID]
    }

    private var subscriptions: [ChannelID: Subscription] = [:]
    private var routes: [UUID: [Route]] = [:]
    /// Inboxes by the user they belong to.
    private var inboxes: [UUID: [ChannelID]] = [:]
    /// Channels by the user whose rights they depend on.
    private var channelsByUser: [UUID: [ChannelID]] = [:]
    private var moderation: [UUID: [ChannelID]] = [:]
    /// Starting positions that the tail has not passed yet.
    private var settling: [ChannelID: LogCursor] = [:]
    private var cursor: LogCursor?

    public init() {}

    /// Live subscriptions.
    public var count: Int { self.subscriptions.count }
    /// Live subscriptions whose rights depend on a user.
    public func count(of user: UUID) -> Int { self.channelsByUser[user]?.count ?? 0 }
    /// Subscriptions whose starting position is still kept.
    public var settlingCount: Int { self.settling.count }

    // MARK: Subscribing

    /// Makes a channel live: delivers what it missed while its join was decided, in order, and adds its routes.
    ///
    /// - Parameters:
    ///   - user: the participant whose rights it depends on; nil for the service role, which is never removed.
    ///   - missed: what the tail delivered since the ticket of the join was opened.
    ///   - isCanonical: whether the channel writes its topic as the topic does.
    /// - Returns: the channel itself in `closed` if its right ended in what it missed.
    public mutating func subscribe(
        _ channel: ChannelID, topic: Topic, version: SerializerVersion, user: UUID?, grant: JoinGrant,
        missed: ArraySlice<LogEvent>, isCanonical: Bool = true, deliver: (LogEvent, Delivery) -> Void
    ) -> Effects {
        self.subscriptions[channel] = Subscription(
            topic: topic, version: version, user: user, isCanonical: isCanonical, conversations: [])
        if let user { self.channelsByUser[user, default: []].append(channel) }
        var isInbox = false
        switch topic {
        case .user(let owner):
            isInbox = true
            self.inboxes[owner, default: []].append(channel)
        case .moderation(let tenant): self.moderation[tenant, default: []].append(channel)
        case .conversation, .other: break
        }
        for conversation in grant.conversations {
            self.addRoute(
                of: channel, to: conversation.id, historyFrom: conversation.historyFrom, isInbox: isInbox)
        }
        for event in missed
        where !grant.position.contains(id: event.id, transactionID: event.transactionID) {
            let effects = self.apply(event, only: channel, deliver: deliver)
            if !effects.closed.isEmpty { return effects }
        }
        if self.cursor.map({ !$0.covers(grant.position) }) ?? true { self.settling[channel] = grant.position }
        return Effects()
    }

    /// Ends a subscription; unknown channels are ignored.
    public mutating func unsubscribe(_ channel: ChannelID) {
        guard let subscription = self.subscriptions.removeValue(forKey: channel) else { return }
        self.settling[channel] = nil
        for conversation in subscription.conversations { self.dropRoute(of: channel, to: conversation) }
        if let user = subscription.user { Self.remove(channel, from: &self.channelsByUser, key: user) }
        switch subscription.topic {
        case .user(let owner): Self.remove(channel, from: &self.inboxes, key: owner)
        case .moderation(let tenant): Self.remove(channel, from: &self.moderation, key: tenant)
        case .conversation, .other: break
        }
    }

    // MARK: The log

    /// Routes one event of the log and applies what it says about membership.
    public mutating func apply(_ event: LogEvent, deliver: (LogEvent, Delivery) -> Void) -> Effects {
        self.apply(event, only: nil, deliver: deliver)
    }

    /// The tail has delivered everything up to `cursor`: starting positions before it are not needed any more.
    public mutating func advance(to cursor: LogCursor) {
        self.cursor = cursor
        guard !self.settling.isEmpty else { return }
        self.settling = self.settling.filter { !cursor.covers($0.value) }
    }

    /// The log is another one now: positions in the old one mean nothing.
    public mutating func forgetPositions() {
        self.cursor = nil
        self.settling = [:]
    }

    private mutating func apply(
        _ event: LogEvent, only: ChannelID?, deliver: (LogEvent, Delivery) -> Void
    ) -> Effects {
        guard let conversation = event.conversationID else {
            return self.applyUserEvent(event, only: only, deliver: deliver)
        }
        if event.kind == "participant:joined", let user = event.userID {
            for channel in self.inboxes[user] ?? [] where self.concerns(event, channel, only: only) {
                self.addRoute(
                    of: channel, to: conversation, historyFrom: event.historyFromSeq ?? 0, isInbox: true)
            }
        }
        let leaver = event.kind == "participant:left" ? event.userID : nil
        var ended: [ChannelID] = []
        for route in self.routes[conversation] ?? [] where self.concerns(event, route.channel, only: only) {
            let isRevoked = event.revoked.contains { self.depends(route, on: $0) }
            if !isRevoked, event.messageSeq.map({ $0 >= route.historyFrom }) ?? true {
                deliver(event, self.delivery(route, conversation))
            }
            if let leaver, self.depends(route, on: leaver) { ended.append(route.channel) }
        }
        var effects = Effects()
        for channel in ended {
            guard let subscription = self.subscriptions[channel] else { continue }
            if case .user = subscription.topic {
                self.dropRoute(of: channel, to: conversation)
                self.subscriptions[channel]?.conversations.removeAll { $0 == conversation }
            } else {
                self.unsubscribe(channel)
                effects.closed.append(channel)
            }
        }
        return effects
    }

    private mutating func applyUserEvent(
        _ event: LogEvent, only: ChannelID?, deliver: (LogEvent, Delivery) -> Void
    ) -> Effects {
        guard let user = event.userID else { return Effects() }
        for channel in self.inboxes[user] ?? [] where self.concerns(event, channel, only: only) {
            guard let subscription = self.subscriptions[channel] else { continue }
            deliver(
                event,
                Delivery(
                    channel: channel, topic: .user(user), version: subscription.version,
                    isCanonical: subscription.isCanonical))
        }
        if let conversation = Self.conversation(ofOwn: event) {
            for route in self.routes[conversation] ?? [] where !route.isInbox && route.user == user {
                guard self.concerns(event, route.channel, only: only) else { continue }
                deliver(event, self.delivery(route, conversation))
            }
        }
        guard let isClosed = Self.endings(event) else { return Effects() }
        let closed = (self.channelsByUser[user] ?? []).filter { channel in
            self.concerns(event, channel, only: only) && self.subscriptions[channel].map { isClosed($0.topic) } ?? false
        }
        for channel in closed { self.unsubscribe(channel) }
        return Effects(closed: closed)
    }

    /// Where the sender of a message that reaches nobody else hears of it, as of any other of theirs.
    private static func conversation(ofOwn event: LogEvent) -> UUID? {
        switch event.kind {
        case "message:new", "message:updated", "message:reaction", "message:pinned", "message:unpinned", "poll:updated":
            return (try? RawJSON(event.payload))?["conversation_id"]?.string.flatMap(UUID.init(uuidString:))
        case "message:deleted":
            guard let payload = try? RawJSON(event.payload), payload["for_everyone"]?.bool ?? false else { return nil }
            return payload["conversation_id"]?.string.flatMap(UUID.init(uuidString:))
        default: return nil
        }
    }

    /// Which topics the user of the event may not follow any more; nil for an event that ends nothing.
    private static func endings(_ event: LogEvent) -> ((Topic) -> Bool)? {
        switch event.kind {
        case "session:revoked": return { _ in true }
        case "moderation:revoked":
            let tenant = (try? RawJSON(event.payload))?["tenant_id"]?.string.flatMap(UUID.init(uuidString:))
            // One that does not say which tenant: rather a moderator who has to come back than one too many.
            return { topic in
                guard case .moderation(let id) = topic else { return false }
                return tenant == nil || id == tenant
            }
        default: return nil
        }
    }

    // MARK: Ephemeral events

    /// Whether somebody here hears what is said in a conversation and forgotten.
    public func isFollowed(_ conversation: UUID) -> Bool {
        self.routes[conversation]?.contains { !$0.isInbox } ?? false
    }

    /// The channels of one topic, for broadcasts that are not in the log.
    public func forEachChannel(of topic: Topic, _ body: (Delivery) -> Void) {
        switch topic {
        case .conversation(let id):
            for route in self.routes[id] ?? [] where !route.isInbox { body(self.delivery(route, id)) }
        case .user(let id): self.visit(self.inboxes[id], topic, body)
        case .moderation(let id): self.visit(self.moderation[id], topic, body)
        case .other: break
        }
    }

    private func visit(_ channels: [ChannelID]?, _ topic: Topic, _ body: (Delivery) -> Void) {
        for channel in channels ?? [] {
            guard let subscription = self.subscriptions[channel] else { continue }
            body(
                Delivery(
                    channel: channel, topic: topic, version: subscription.version,
                    isCanonical: subscription.isCanonical))
        }
    }

    // MARK: Details

    /// Whether an event is news to a channel.
    private func concerns(_ event: LogEvent, _ channel: ChannelID, only: ChannelID?) -> Bool {
        if let only { return channel == only }
        guard !self.settling.isEmpty, let position = self.settling[channel] else { return true }
        return !position.contains(id: event.id, transactionID: event.transactionID)
    }

    private func delivery(_ route: Route, _ conversation: UUID) -> Delivery {
        var topic = Topic.conversation(conversation)
        if route.isInbox, let owner = self.subscriptions[route.channel]?.topic { topic = owner }
        return Delivery(
            channel: route.channel, topic: topic, version: route.version, isCanonical: route.isCanonical)
    }

    /// An inbox follows its owner, even when the service role listens to it; a conversation channel its own user.
    private func depends(_ route: Route, on user: UUID) -> Bool {
        guard route.isInbox else { return route.user == user }
        return self.subscriptions[route.channel]?.topic == .user(user)
    }

    private mutating func addRoute(
        of channel: ChannelID, to conversation: UUID, historyFrom: Int64, isInbox: Bool
    ) {
        guard let subscription = self.subscriptions[channel] else { return }
        if let index = self.routes[conversation]?.firstIndex(where: { $0.channel == channel }) {
            self.routes[conversation]?[index].historyFrom = historyFrom
            return
        }
        self.routes[conversation, default: []].append(
            Route(
                channel: channel, user: subscription.user, historyFrom: historyFrom, version: subscription.version,
                isInbox: isInbox, isCanonical: subscription.isCanonical))
        self.subscriptions[channel]?.conversations.append(conversation)
    }

    private mutating func dropRoute(of channel: ChannelID, to conversation: UUID) {
        guard let index = self.routes[conversation]?.firstIndex(where: { $0.channel == channel }) else { return }
        if self.routes[conversation]?.count == 1 {
            self.routes[conversation] = nil
        } else {
            self.routes[conversation]?.remove(at: index)
        }
    }

    private static func remove(_ channel: ChannelID, from table: inout [UUID: [ChannelID]], key: UUID) {
        table[key]?.removeAll { $0 == channel }
        if table[key]?.isEmpty ?? false { table[key] = nil }
    }
}
