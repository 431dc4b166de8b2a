import FoundationEssentials
import Testing

@testable import ParleyCore

@Suite struct DiscretionTests {
    private let alice = UUID()
    private let bob = UUID()
    private let room = UUID()
    private var topic: Topic { .conversation(self.room) }

    private static func position(_ id: Int64) -> LogCursor {
        LogCursor(snapshot: PgSnapshot(xmin: UInt64(id) + 1, xmax: UInt64(id) + 1, xip: []), maxID: id)
    }

    private func event(_ id: Int64, _ kind: String, user: UUID?, _ payload: String) -> LogEvent {
        LogEvent(
            id: id, transactionID: UInt64(id), conversationID: nil, eventSeq: nil, userID: user, kind: kind,
            actorID: nil, messageID: nil, messageSeq: nil, historyFromSeq: nil, payload: Array(payload.utf8))
    }

    private func quiet(_ id: Int64, _ isQuiet: Bool) -> LogEvent {
        self.event(
            id, "conversation:quiet", user: self.alice,
            #"{"conversation_id":"\#(self.room.uuidString)","quiet":\#(isQuiet)}"#)
    }

    private func privacy(_ id: Int64, shows: Bool) -> LogEvent {
        self.event(id, "privacy:updated", user: self.alice, #"{"show_presence":\#(shows)}"#)
    }

    @Test func nothingIsKeptBackAtFirst() {
        let discretion = Discretion()
        #expect(discretion.passes(from: self.alice, to: self.bob, in: self.topic))
        #expect(discretion.shows(self.alice, to: self.bob, in: self.topic))
    }

    @Test func inAQuietConversationOthersHearNothing() {
        var discretion = Discretion()
        #expect(discretion.apply(self.quiet(1, true)) { _ in false } == nil, "nobody could see the difference")
        #expect(discretion.passes(from: self.alice, to: self.bob, in: self.topic))
        let change = discretion.apply(self.quiet(2, true)) { _ in true }
        #expect(change == Discretion.Change(subject: .conversation(self.room), isSilent: true))
        #expect(!discretion.passes(from: self.alice, to: self.bob, in: self.topic))
        #expect(!discretion.shows(self.bob, to: self.alice, in: self.topic))
        #expect(discretion.passes(from: self.alice, to: self.alice, in: self.topic), "their own devices do")
        #expect(discretion.passes(from: nil, to: self.alice, in: self.topic), "as does whoever hears the service")
        #expect(discretion.passes(from: self.alice, to: nil, in: self.topic), "and the service")
        #expect(discretion.passes(from: self.alice, to: self.bob, in: .conversation(UUID())), "elsewhere they do")
        #expect(discretion.apply(self.quiet(3, true)) { _ in true } == nil, "no change")
        #expect(discretion.apply(self.quiet(4, false)) { _ in true }?.isSilent == false)
        #expect(discretion.passes(from: self.alice, to: self.bob, in: self.topic))
    }

    @Test func whoHidesIsShownToNobodyElse() {
        var discretion = Discretion()
        #expect(discretion.apply(self.privacy(1, shows: false)) { _ in true }?.subject == .user(self.alice))
        #expect(discretion.hides(self.alice))
        #expect(!discretion.shows(self.alice, to: self.bob, in: self.topic))
        #expect(!discretion.shows(self.alice, to: nil, in: .user(self.alice)), "nor to the service")
        #expect(discretion.shows(self.alice, to: self.alice, in: self.topic))
        #expect(discretion.shows(self.bob, to: self.alice, in: self.topic))
        #expect(discretion.passes(from: self.alice, to: self.bob, in: self.topic), "what they say is heard")
        #expect(discretion.apply(self.privacy(2, shows: true)) { _ in true }?.isSilent == false)
        #expect(discretion.shows(self.alice, to: self.bob, in: self.topic))
    }

    @Test func aJoinSaysHowItIsAtItsPosition() {
        var discretion = Discretion()
        let subject = Discretion.Subject.conversation(self.room)
        #expect(discretion.learn(subject, isSilent: true, at: Self.position(5), missed: []) != nil)
        #expect(discretion.apply(self.quiet(4, false)) { _ in true } == nil, "older than the answer")
        #expect(!discretion.passes(from: self.alice, to: self.bob, in: self.topic))
        #expect(discretion.apply(self.quiet(6, false)) { _ in true } != nil, "newer")
        #expect(discretion.passes(from: self.alice, to: self.bob, in: self.topic))
    }

    @Test func whatTheJoinMissedIsNewer() {
        var discretion = Discretion()
        let subject = Discretion.Subject.conversation(self.room)
        let missed = [self.quiet(4, false), self.quiet(6, true)]
        #expect(discretion.learn(subject, isSilent: false, at: Self.position(5), missed: missed[...])?.isSilent == true)
        #expect(!discretion.passes(from: self.alice, to: self.bob, in: self.topic))
    }

    @Test func anAnswerThatComesLateChangesNothing() {
        var discretion = Discretion()
        let subject = Discretion.Subject.conversation(self.room)
        #expect(discretion.learn(subject, isSilent: true, at: Self.position(7), missed: []) != nil)
        #expect(discretion.learn(subject, isSilent: false, at: Self.position(5), missed: []) == nil)
        #expect(!discretion.passes(from: self.alice, to: self.bob, in: self.topic))
        #expect(discretion.learn(subject, isSilent: false, at: Self.position(8), missed: [])?.isSilent == false)
    }

    @Test func whatNobodyFollowsIsForgotten() {
        var discretion = Discretion()
        _ = discretion.apply(self.quiet(1, true)) { _ in true }
        _ = discretion.apply(self.privacy(2, shows: false)) { _ in true }
        discretion.keep { $0 == .user(self.alice) }
        #expect(discretion.count == 1)
        #expect(discretion.hides(self.alice))
        #expect(discretion.passes(from: self.alice, to: self.bob, in: self.topic))
    }

    @Test func whatCannotBeReadChangesNothing() {
        var discretion = Discretion()
        for payload in ["", "{}", #"{"quiet":true}"#, #"{"conversation_id":"x","quiet":true}"#, #"{"quiet":1}"#] {
            let event = self.event(1, "conversation:quiet", user: self.alice, payload)
            #expect(discretion.apply(event) { _ in true } == nil)
        }
        #expect(discretion.apply(self.event(1, "privacy:updated", user: self.alice, "{}")) { _ in true } == nil)
        #expect(discretion.count == 0)
    }
}
