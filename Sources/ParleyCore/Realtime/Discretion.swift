public import FoundationEssentials

/// What is not passed on between users: typing, presence and broadcasts in a conversation that is quiet, because one of
/// two has blocked the other or has not accepted them; and the presence of users who do not show it.
///
/// A join brings both facts as of its position; events of the log change them at theirs. Nobody needs what nobody here
/// could see: the owner keeps what is followed, and lets go of the rest.
public struct Discretion: Sendable {
    /// What a fact is about.
    public enum Subject: Sendable, Hashable {
        case conversation(UUID)
        case user(UUID)
    }

    /// A fact that is another one now.
    public struct Change: Sendable, Equatable {
        public var subject: Subject
        public var isSilent: Bool
    }

    private struct Fact: Sendable {
        /// As of which it holds, where a join said so: an event that it contains is older news.
        var position: LogCursor?
    }

    /// Only what is silent.
    private var facts: [Subject: Fact] = [:]

    public init() {}

    public var count: Int { self.facts.count }

    /// What the answer of a join says of a subject.
    ///
    /// - Parameter missed: what the tail delivered since the ticket of the join was opened.
    public mutating func learn(
        _ subject: Subject, isSilent: Bool, at position: LogCursor, missed: ArraySlice<LogEvent>
    ) -> Change? {
        var fact = (isSilent, Optional(position))
        for event in missed where !position.contains(id: event.id, transactionID: event.transactionID) {
            guard let news = Self.news(event), news.subject == subject else { continue }
            fact = (news.isSilent, nil)
        }
        // A join that was decided later has answered sooner.
        if let known = self.facts[subject]?.position, known != position, known.covers(position), fact.1 != nil {
            return nil
        }
        return self.set(Change(subject: subject, isSilent: fact.0), at: fact.1)
    }

    /// What an event says; nil where it is no news.
    public mutating func apply(_ event: LogEvent, isFollowed: (Subject) -> Bool) -> Change? {
        guard let news = Self.news(event), isFollowed(news.subject) else { return nil }
        if let position = self.facts[news.subject]?.position,
            position.contains(id: event.id, transactionID: event.transactionID)
        {
            return nil
        }
        return self.set(news, at: nil)
    }

    /// Forgets what nobody follows.
    public mutating func keep(_ isFollowed: (Subject) -> Bool) {
        guard !self.facts.isEmpty else { return }
        self.facts = self.facts.filter { isFollowed($0.key) }
    }

    /// Whether what a user does in a topic, and says there without keeping it, is for another user as well. Nobody in
    /// particular is the service, for whom nothing is kept back and which keeps nothing back.
    public func passes(from user: UUID?, to other: UUID?, in topic: Topic) -> Bool {
        guard let user, let other, user != other, case .conversation(let id) = topic else { return true }
        return self.facts[.conversation(id)] == nil
    }

    /// The same of being present.
    public func shows(_ user: UUID?, to other: UUID?, in topic: Topic) -> Bool {
        guard self.passes(from: user, to: other, in: topic) else { return false }
        guard let user, user != other else { return true }
        return !self.hides(user)
    }

    /// Whether a user does not show that they are present.
    public func hides(_ user: UUID) -> Bool { self.facts[.user(user)] != nil }

    private mutating func set(_ change: Change, at position: LogCursor?) -> Change? {
        let wasSilent = self.facts[change.subject] != nil
        self.facts[change.subject] = change.isSilent ? Fact(position: position) : nil
        return wasSilent == change.isSilent ? nil : change
    }

    private static func news(_ event: LogEvent) -> Change? {
        switch event.kind {
        case "conversation:quiet":
            guard let payload = try? RawJSON(event.payload), let isQuiet = payload["quiet"]?.bool,
                let id = payload["conversation_id"]?.string.flatMap(UUID.init(uuidString:))
            else { return nil }
            return Change(subject: .conversation(id), isSilent: isQuiet)
        case "privacy:updated":
            guard let user = event.userID, let shows = (try? RawJSON(event.payload))?["show_presence"]?.bool else {
                return nil
            }
            return Change(subject: .user(user), isSilent: !shows)
        default: return nil
        }
    }
}
