import FoundationEssentials
import Testing

@testable import ParleyCore

@Suite struct MembershipIndexTests {
    private let alice = UUID()
    private let bob = UUID()
    private let room = UUID()
    private let other = UUID()
    private static let nothing = LogCursor(snapshot: PgSnapshot(xmin: 1, xmax: 1, xip: []), maxID: 0)

    private func channel(_ serial: UInt32) -> ChannelID { ChannelID(slot: 1, serial: serial) }

    private func event(
        _ kind: String, in conversation: UUID?, user: UUID? = nil, messageSeq: Int64? = nil, historyFrom: Int64? = nil
    ) -> LogEvent {
        LogEvent(
            id: 1, transactionID: 1, conversationID: conversation, eventSeq: nil, userID: user, kind: kind,
            actorID: nil, messageID: nil, messageSeq: messageSeq, historyFromSeq: historyFrom, payload: [])
    }

    private func subscribe(
        _ index: inout MembershipIndex, _ serial: UInt32, _ topic: Topic, _ user: UUID?,
        _ conversations: [(UUID, Int64)]
    ) {
        let effects = index.subscribe(
            self.channel(serial), topic: topic, version: .v1, user: user,
            grant: JoinGrant(
                position: Self.nothing,
                conversations: conversations.map { JoinGrant.Conversation(id: $0.0, historyFrom: $0.1) }),
            missed: []
        ) { _, _ in Issue.record("nothing was missed") }
        #expect(effects.closed.isEmpty)
    }

    /// Serials of the channels that an event reaches, and of those that it closes.
    private func apply(_ index: inout MembershipIndex, _ event: LogEvent) -> (to: Set<UInt32>, closed: Set<UInt32>) {
        var reached: [UInt32] = []
        let effects = index.apply(event) { _, delivery in reached.append(delivery.channel.serial) }
        #expect(Set(reached).count == reached.count, "delivered twice")
        return (Set(reached), Set(effects.closed.map(\.serial)))
    }

    @Test func conversationAndInboxesHearIt() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .conversation(self.room), self.alice, [(self.room, 1)])
        self.subscribe(&index, 2, .user(self.alice), self.alice, [(self.room, 1), (self.other, 1)])
        self.subscribe(&index, 3, .user(self.bob), self.bob, [(self.other, 1)])
        #expect(self.apply(&index, self.event("message:new", in: self.room, messageSeq: 3)).to == [1, 2])
        #expect(self.apply(&index, self.event("message:new", in: self.other, messageSeq: 3)).to == [2, 3])
        #expect(self.apply(&index, self.event("message:new", in: UUID(), messageSeq: 3)).to.isEmpty)
    }

    @Test func whatReachesNobodyElseReachesAllChannelsOfItsSender() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .conversation(self.room), self.alice, [(self.room, 1)])
        self.subscribe(&index, 2, .user(self.alice), self.alice, [(self.room, 1)])
        self.subscribe(&index, 3, .conversation(self.room), self.bob, [(self.room, 1)])
        self.subscribe(&index, 4, .user(self.bob), self.bob, [(self.room, 1)])
        self.subscribe(&index, 5, .conversation(self.room), nil, [(self.room, 0)])
        var event = self.event("message:new", in: nil, user: self.alice, messageSeq: 3)
        event.payload = Array(#"{"conversation_id":"\#(self.room.uuidString)"}"#.utf8)
        #expect(self.apply(&index, event).to == [1, 2])
        event.kind = "message:deleted"
        #expect(self.apply(&index, event).to == [2], "hidden for oneself")
        event.payload = Array(#"{"conversation_id":"\#(self.room.uuidString)","for_everyone":true}"#.utf8)
        #expect(self.apply(&index, event).to == [1, 2])
        event.kind = "message:read"
        #expect(self.apply(&index, event).to == [2])
    }

    @Test func deliveriesCarryTheTopicOfTheirChannel() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .conversation(self.room), self.alice, [(self.room, 1)])
        self.subscribe(&index, 2, .user(self.alice), self.alice, [(self.room, 1)])
        var topics: [UInt32: Topic] = [:]
        _ = index.apply(self.event("message:new", in: self.room)) { topics[$1.channel.serial] = $1.topic }
        #expect(topics == [1: .conversation(self.room), 2: .user(self.alice)])
    }

    @Test func hiddenHistoryStaysHidden() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .conversation(self.room), self.alice, [(self.room, 10)])
        #expect(self.apply(&index, self.event("message:updated", in: self.room, messageSeq: 9)).to.isEmpty)
        #expect(self.apply(&index, self.event("message:updated", in: self.room, messageSeq: 10)).to == [1])
        #expect(self.apply(&index, self.event("conversation:updated", in: self.room)).to == [1])
    }

    @Test func whoHasLeftByNowIsNotShownHowThingsAreNow() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .conversation(self.room), self.alice, [(self.room, 1)])
        self.subscribe(&index, 2, .user(self.alice), self.alice, [(self.room, 1)])
        self.subscribe(&index, 3, .user(self.bob), self.bob, [(self.room, 1)])
        var rendered = self.event("message:updated", in: self.room, messageSeq: 3)
        rendered.revoked = [self.alice]
        #expect(self.apply(&index, rendered).to == [3])
        // The departure itself is still for them.
        let left = self.apply(&index, self.event("participant:left", in: self.room, user: self.alice))
        #expect(left.to == [1, 2, 3])
        #expect(left.closed == [1])
    }

    @Test func whoIsAddedHearsItFromThere() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .user(self.alice), self.alice, [])
        #expect(self.apply(&index, self.event("message:new", in: self.room, messageSeq: 1)).to.isEmpty)
        let joined = self.event("participant:joined", in: self.room, user: self.alice, historyFrom: 2)
        #expect(self.apply(&index, joined).to == [1])
        #expect(self.apply(&index, self.event("message:updated", in: self.room, messageSeq: 1)).to.isEmpty)
        #expect(self.apply(&index, self.event("message:new", in: self.room, messageSeq: 2)).to == [1])
    }

    @Test func whoLeavesHearsThatAndNothingAfter() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .conversation(self.room), self.alice, [(self.room, 1)])
        self.subscribe(&index, 2, .user(self.alice), self.alice, [(self.room, 1), (self.other, 1)])
        self.subscribe(&index, 3, .conversation(self.room), self.bob, [(self.room, 1)])
        self.subscribe(&index, 4, .conversation(self.room), nil, [(self.room, 1)])
        let left = self.apply(&index, self.event("participant:left", in: self.room, user: self.alice))
        #expect(left.to == [1, 2, 3, 4])
        #expect(left.closed == [1])
        #expect(self.apply(&index, self.event("message:new", in: self.room)).to == [3, 4])
        #expect(self.apply(&index, self.event("message:new", in: self.other)).to == [2])
    }

    @Test func anInboxReadByTheServiceFollowsItsOwner() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .user(self.alice), nil, [(self.room, 1)])
        let left = self.apply(&index, self.event("participant:left", in: self.room, user: self.alice))
        #expect(left.to == [1] && left.closed.isEmpty)
        #expect(self.apply(&index, self.event("message:new", in: self.room)).to.isEmpty)
    }

    @Test func ownEventsReachTheInboxOnly() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .user(self.alice), self.alice, [(self.room, 1)])
        self.subscribe(&index, 2, .conversation(self.room), self.alice, [(self.room, 1)])
        self.subscribe(&index, 3, .user(self.bob), self.bob, [(self.room, 1)])
        #expect(self.apply(&index, self.event("request:new", in: nil, user: self.alice)).to == [1])
    }

    @Test func revokedSessionsLoseEveryChannel() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .user(self.alice), self.alice, [(self.room, 1)])
        self.subscribe(&index, 2, .conversation(self.room), self.alice, [(self.room, 1)])
        self.subscribe(&index, 3, .moderation(self.other), self.alice, [])
        self.subscribe(&index, 4, .conversation(self.room), self.bob, [(self.room, 1)])
        let revoked = self.apply(&index, self.event("session:revoked", in: nil, user: self.alice))
        #expect(revoked.closed == [1, 2, 3])
        #expect(index.count == 1)
        #expect(self.apply(&index, self.event("message:new", in: self.room)).to == [4])
    }

    @Test func whoModeratesNoMoreLosesThatTopicAlone() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .user(self.alice), self.alice, [(self.room, 1)])
        self.subscribe(&index, 2, .conversation(self.room), self.alice, [(self.room, 1)])
        self.subscribe(&index, 3, .moderation(self.other), self.alice, [])
        self.subscribe(&index, 4, .moderation(self.room), self.alice, [])
        self.subscribe(&index, 5, .moderation(self.other), self.bob, [])
        self.subscribe(&index, 6, .moderation(self.other), nil, [])
        var event = self.event("moderation:revoked", in: nil, user: self.alice)
        event.payload = [UInt8](#"{"user_id":"x","tenant_id":"\#(self.other.lowercaseText)"}"#.utf8)
        let revoked = self.apply(&index, event)
        #expect(revoked.to == [1])
        #expect(revoked.closed == [3])
        #expect(index.count == 5)
        // One that does not say which tenant ends all of them.
        event.payload = [UInt8]("{}".utf8)
        #expect(self.apply(&index, event).closed == [4])
    }

    @Test func whoLosesModerationWhileJoiningDoesNotJoin() {
        var index = MembershipIndex()
        var event = self.event("moderation:revoked", in: nil, user: self.alice)
        event.payload = [UInt8](#"{"tenant_id":"\#(self.other.lowercaseText)"}"#.utf8)
        let effects = index.subscribe(
            self.channel(1), topic: .moderation(self.other), version: .v2, user: self.alice,
            grant: JoinGrant(position: Self.nothing, conversations: []), missed: [event]
        ) { _, _ in }
        #expect(effects.closed == [self.channel(1)] && index.count == 0)
    }

    @Test func broadcastsGoToTheTopicAlone() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .conversation(self.room), self.alice, [(self.room, 1)])
        self.subscribe(&index, 2, .user(self.alice), self.alice, [(self.room, 1)])
        self.subscribe(&index, 3, .moderation(self.other), self.alice, [])
        for (topic, serial) in [
            (Topic.conversation(self.room), UInt32(1)), (.user(self.alice), 2), (.moderation(self.other), 3),
        ] {
            var reached: [UInt32] = []
            index.forEachChannel(of: topic) { reached.append($0.channel.serial) }
            #expect(reached == [serial])
        }
    }

    @Test func nothingIsKeptOfWhoLeft() {
        var index = MembershipIndex()
        self.subscribe(&index, 1, .conversation(self.room), self.alice, [(self.room, 1)])
        self.subscribe(&index, 2, .user(self.alice), self.alice, [(self.room, 1)])
        index.unsubscribe(self.channel(1))
        index.unsubscribe(self.channel(2))
        index.unsubscribe(self.channel(2))
        #expect(index.count == 0 && index.settlingCount == 0)
        #expect(self.apply(&index, self.event("message:new", in: self.room)).to.isEmpty)
    }

    @Test func startingPositionsAreForgottenOncePassed() {
        var index = MembershipIndex()
        let position = LogCursor(snapshot: PgSnapshot(xmin: 10, xmax: 20, xip: [12]), maxID: 5)
        let grant = JoinGrant(
            position: position, conversations: [JoinGrant.Conversation(id: self.room, historyFrom: 1)])
        _ = index.subscribe(
            self.channel(1), topic: .conversation(self.room), version: .v2, user: self.alice, grant: grant, missed: []
        ) { _, _ in }
        #expect(index.settlingCount == 1)
        var known = self.event("message:new", in: self.room)
        known.id = 5
        known.transactionID = 11
        #expect(self.apply(&index, known).to.isEmpty)
        known.transactionID = 12
        #expect(self.apply(&index, known).to == [1])
        index.advance(to: LogCursor(snapshot: PgSnapshot(xmin: 10, xmax: 19, xip: []), maxID: 9))
        #expect(index.settlingCount == 1)
        index.advance(to: LogCursor(snapshot: PgSnapshot(xmin: 20, xmax: 20, xip: []), maxID: 5))
        #expect(index.settlingCount == 0)
    }
}
