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
        let step1 = table.announces(self.typing(true, self.channel), now: 0)
        #expect(step1)
        let step2 = table.expire(now: 5 * self.second)
        #expect(step2.isEmpty)
        // Too soon to be told, but a sign of life.
        let step3 = table.announces(self.typing(true, self.channel), now: 5 * self.second)
        #expect(step3)
        let step4 = table.announces(self.typing(true, self.channel), now: 5 * self.second + 1)
        #expect(!step4)
        let step5 = table.expire(now: 10 * self.second)
        #expect(step5.isEmpty)
        let step6 = table.expire(now: 11 * self.second + 1)
        #expect(step6 == [self.key])
        let step7 = table.expire(now: 99 * self.second)
        #expect(step7.isEmpty)
        #expect(table.count == 0)
    }

    @Test func itEndsWithTheChannel() {
        var table = TypingTable()
        let step8 = table.announces(self.typing(true, self.channel), now: 0)
        #expect(step8)
        let step9 = table.drop(self.other)
        #expect(step9 == nil)
        let step10 = table.drop(self.channel)
        #expect(step10 == self.key)
        let step11 = table.drop(self.channel)
        #expect(step11 == nil)
        let step12 = table.expire(now: 99 * self.second)
        #expect(step12.isEmpty)
    }

    @Test func itMovesWithItsAuthorToAnotherChannel() {
        var table = TypingTable()
        let step13 = table.announces(self.typing(true, self.channel), now: 0)
        #expect(step13)
        let step14 = table.announces(self.typing(true, self.other), now: 2 * self.second)
        #expect(step14)
        let step15 = table.drop(self.channel)
        #expect(step15 == nil)
        let step16 = table.drop(self.other)
        #expect(step16 == self.key)
    }

    @Test func theStopOfAStartIsAlwaysTold() {
        var table = TypingTable()
        let step17 = table.announces(self.typing(true, nil), now: 0)
        #expect(step17)
        let step18 = table.announces(self.typing(false, nil), now: 1)
        #expect(step18)
        let step19 = table.announces(self.typing(false, nil), now: 2)
        #expect(!step19)
        let step20 = table.expire(now: 99 * self.second)
        #expect(step20.isEmpty)
    }

    @Test func whoFindsNoRoomIsNotAnnounced() {
        var table = TypingTable(capacity: 1)
        let step21 = table.announces(self.typing(true, nil), now: 0)
        #expect(step21)
        let bob = Typing(
            channel: nil, sender: nil, conversation: SessionHarness.room, user: SessionHarness.bob, isTyping: true)
        let step22 = table.announces(bob, now: 0)
        #expect(!step22)
        #expect(table.count == 1)
    }
}

struct BroadcastBudgetTests {
    private let second: Int64 = 1_000_000_000

    private func publication(_ bytes: Int, _ user: UUID?, _ topic: Topic = .conversation(SessionHarness.room)) throws
        -> Publication
    {
        let message = ClientMessage(
            joinRef: nil, ref: nil, topic: topic.wire, event: "broadcast",
            payload: .userBroadcast(event: "hi", metadata: [], body: .binary([UInt8](repeating: 0, count: bytes))))
        return Publication(sender: nil, user: user, topic: topic, broadcast: try #require(ClientBroadcast(message)))
    }

    private func passing(_ budget: inout BroadcastBudget, _ publication: Publication, seconds: Int) -> Int {
        var passed = 0
        for step in 0..<(seconds * 1000) where budget.take(publication, now: Int64(step) * self.second / 1000) {
            passed += 1
        }
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
        #expect((10 * 256 << 10)...(15 * 256 << 10) ~= bytes)
    }

    @Test func aTopicGetsTheRateOfAllUsers() throws {
        var budget = BroadcastBudget()
        let service = try self.publication(9 << 10, nil)
        let passed = self.passing(&budget, service, seconds: 10)
        #expect((10 * 512 / 10)...(13 * 512 / 10) ~= passed)
        // Nothing is left for another user.
        while budget.take(service, now: 10 * self.second) {}
        let another = budget.take(try self.publication(9 << 10, SessionHarness.bob), now: 10 * self.second)
        #expect(!another)
    }

    @Test func smallOnesCountToo() throws {
        var budget = BroadcastBudget()
        #expect(self.passing(&budget, try self.publication(0, SessionHarness.alice), seconds: 3) < 1900)
    }

    @Test func theLargestPassesAndZeroIsNoLimit() throws {
        var budget = BroadcastBudget()
        let step24 = try budget.take(self.publication(SessionLimits().maxBroadcastBytes, SessionHarness.alice), now: 0)
        #expect(step24)
        var limits = BroadcastBudget.Limits()
        limits.userBytesPerSecond = 0
        limits.topicBytesPerSecond = 0
        var open = BroadcastBudget(limits: limits)
        #expect(self.passing(&open, try self.publication(200 << 10, SessionHarness.alice), seconds: 1) == 1000)
    }
}
