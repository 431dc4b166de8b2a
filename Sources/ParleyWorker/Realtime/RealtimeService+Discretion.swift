internal import FoundationEssentials
internal import ParleyCore

/// Who is not shown to whom, as joins and the log say.
extension RealtimeService {
    /// Whether somebody here could see the difference.
    func isFollowed(_ subject: Discretion.Subject) -> Bool {
        switch subject {
        case .conversation(let id): self.index.isFollowed(id)
        case .user(let id): self.index.count(of: id) > 0
        }
    }

    /// The user at the other end of a delivery; nil for the service.
    func user(of delivery: MembershipIndex.Delivery) -> UUID? {
        self.connections[delivery.channel.slot]?.session.channel(delivery.channel)?.token.boundUser
    }

    /// What the answer of a join says of its conversation and its user.
    func learn(from plan: LivePlan, of channel: Channel) {
        if case .conversation(let id) = channel.topic {
            self.learn(.conversation(id), plan.grant.isQuiet, plan)
        }
        if let user = channel.token.boundUser { self.learn(.user(user), plan.grant.hidesPresence, plan) }
    }

    private func learn(_ subject: Discretion.Subject, _ isSilent: Bool, _ plan: LivePlan) {
        let change = self.discretion.learn(
            subject, isSilent: isSilent, at: plan.grant.position, missed: plan.missed)
        if let change { self.announce(change) }
    }

    /// Takes presences away from those who may see them no longer, or shows them to those who may again.
    func announce(_ change: Discretion.Change) {
        switch change.subject {
        case .conversation(let id):
            // Whoever hides was not shown before, nor is now.
            self.announce(change, in: .conversation(id)) { user, _ in !self.discretion.hides(user) }
        case .user(let user):
            for topic in Set(self.tracked.values) { self.announce(user, appearing: !change.isSilent, in: topic) }
        }
    }

    /// The same to all who may see the user there; nothing where the user is not.
    private func announce(_ user: UUID, appearing: Bool, in topic: Topic) {
        guard let diff = self.presence[topic]?.diff(appearing: appearing, of: { $0 == user }) else { return }
        let json = diff.json()
        var frames = TopicFrames { RealtimeCodec.presenceDiff($0, topic: $1, diff: json) }
        self.index.forEachChannel(of: topic) { delivery in
            guard let channel = self.connections[delivery.channel.slot]?.session.channel(delivery.channel),
                channel.presenceEnabled, let other = channel.token.boundUser, other != user,
                self.discretion.passes(from: user, to: other, in: topic)
            else { return }
            _ = self.deliver(delivery, &frames)
        }
    }

    private func announce(
        _ change: Discretion.Change, in topic: Topic, _ concerns: (_ user: UUID, _ other: UUID) -> Bool
    ) {
        guard let table = self.presence[topic] else { return }
        self.index.forEachChannel(of: topic) { delivery in
            guard let channel = self.connections[delivery.channel.slot]?.session.channel(delivery.channel),
                channel.presenceEnabled, let other = channel.token.boundUser
            else { return }
            let diff = table.diff(appearing: !change.isSilent) { user in
                user.map { $0 != other && concerns($0, other) } ?? false
            }
            guard let json = diff?.json() else { return }
            var frames = TopicFrames { RealtimeCodec.presenceDiff($0, topic: $1, diff: json) }
            _ = self.deliver(delivery, &frames)
        }
    }
}
