import FoundationEssentials
import Testing

@testable import ParleyCore

struct TypingTableTests {
    private let second: Int64 = 1_000_000_000
    private let channel = ChannelID(slot: 1, serial: 1)
    private let other = ChannelID(slot: 2, serial: 1)
    private let key = TypingTable.Key(user: SessionHarness.alice, conversation: SessionHarness.room)

    private func typing(_ isTyping: Bool, _ channel: ChannelID?) -> Typing {
        Typing(
            channel: channel, sender: channel, conversation: SessionHarness.room, user: SessionHarness.alice,
            isTyping: isTyping)
    }

    @Test func aStartEndsByItselfAfterTheLastSignOfLife() {
        var table = TypingTable()
        #expect(table.announces(self.typing(true, self.channel), now: 0))
        #expect(table.expire(now: 5 * self.second).isEmpty)
        // Too soon to be told, but a sign of life.
        #expect(table.announces(self.typing(true, self.channel), now: 5 * self.second))
        #expect(!table.announces(self.typing(true, self.channel), now: 5 * self.second + 1))
        #expect(table.expire(now: 10 * self.second).isEmpty)
        #expect(table.expire(now: 11 * self.second + 1) == [self.key])
        #expect(table.expire(now: 99 * self.second).isEmpty)
        #expect(table.count == 0)
    }

    @Test func itEndsWithTheChannel() {
        var table = TypingTable()
        #expect(table.announces(self.typing(true, self.channel), now: 0))
        #expect(table.drop(self.other) == nil)
        #expect(table.drop(self.channel) == self.key)
        #expect(table.drop(self.channel) == nil)
        #expect(table.expire(now: 99 * self.second).isEmpty)
    }

    @Test func itMovesWithItsAuthorToAnotherChannel() {
        var table = TypingTable()
        #expect(table.announces(self.typing(true, self.channel), now: 0))
        #expect(table.announces(self.typing(true, self.other), now: 2 * self.second))
        #expect(table.drop(self.channel) == nil)
        #expect(table.drop(self.other) == self.key)
    }

    @Test func theStopOfAStartIsAlwaysTold() {
        var table = TypingTable()
        #expect(table.announces(self.typing(true, nil), now: 0))
        #expect(table.announces(self.typing(false, nil), now: 1))
        #expect(!table.announces(self.typing(false, nil), now: 2))
        #expect(table.expire(now: 99 * self.second).isEmpty)
    }

    @Test func whoFindsNoRoomIsNotAnnounced() {
        var table = TypingTable(capacity: 1)
        #expect(table.announces(self.typing(true, nil), now: 0))
        let bob = Typing(
            channel: nil, sender: nil, conversation: SessionHarness.room, user: SessionHarness.bob, isTyping: true)
        #expect(!table.announces(bob, now: 0))
        #expect(table.count == 1)
    }
}

struct BroadcastBudgetTests {
    private let second: Int64 = 1_000_000_000

    private func publication(_ bytes: Int, _ user: UUID?, _ topic: Topic = .conversation(SessionHarness.room)) throws -> Publication {
        let message = ClientMessage(
            joinRef: nil, ref: nil, topic: topic.wire, event: "broadcast",
            payload: .userBroadcast(event: "hi", metadata: [], body: .binary([UInt8](repeating: 0, count: bytes))))
        return Publication(sender: nil, user: user, topic: topic, broadcast: try #require(ClientBroadcast(message)))
    }

    private func passing(_ budget: inout BroadcastBudget, _ publication: Publication, seconds: Int) -> Int {
        var passed = 0
        for step in 0..<(seconds * 1000) where budget.take(publication, now: Int64(step) * self.second / 1000) { passed += 1 }
        return passed
    }

    @Test func aUserGetsTheRateOverAllTopics() throws {
        var budget = BroadcastBudget()
        var bytes = 0
        for step in 0..<10_000 {
            let topic = Topic.conversation(step.isMultiple(of: 2) ? SessionHarness.room : SessionHarness.alice)
            let one = try self.publication(9 << 10, SessionHarness.alice, topic)
            if budget.take(one, now: Int64(step) * self.second / 1000) { bytes += 10 << 10 }
        }
        // ten seconds' worth and the burst
        #expect((10 * 256 << 10)...(13 * 256 << 10) ~= bytes)
    }

    @Test func aTopicGetsTheRateOfAllUsers() throws {
        var budget = BroadcastBudget()
        let service = try self.publication(9 << 10, nil)
        let passed = self.passing(&budget, service, seconds: 10)
        #expect((10 * 512 / 10)...(13 * 512 / 10) ~= passed)
        #expect(!budget.take(try self.publication(0, SessionHarness.bob), now: 10 * self.second - 1_000_000))
    }

    @Test func smallOnesCountToo() throws {
        var budget = BroadcastBudget()
        #expect(self.passing(&budget, try self.publication(0, SessionHarness.alice), seconds: 3) < 1500)
    }

    @Test func theLargestPassesAndZeroIsNoLimit() throws {
        var budget = BroadcastBudget()
        #expect(budget.take(try self.publication(SessionLimits().maxBroadcastBytes, SessionHarness.alice), now: 0))
        var limits = BroadcastBudget.Limits()
        limits.userBytesPerSecond = 0
        limits.topicBytesPerSecond = 0
        var open = BroadcastBudget(limits: limits)
        #expect(self.passing(&open, try self.publication(200 << 10, SessionHarness.alice), seconds: 1) == 1000)
    }
}
