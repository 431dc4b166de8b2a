import FoundationEssentials
import Testing

@testable import ParleyCore

@Suite struct FocusTableTests {
    private static let second: Int64 = 1_000_000_000
    private static let elsewhere = UUID()

    private func focus(_ conversation: UUID? = SessionHarness.room, isActive: Bool = true) -> Focus {
        Focus(user: SessionHarness.alice, conversation: conversation, isActive: isActive)
    }

    @Test func whatSaysTheSameIsWrittenEveryTenSeconds() {
        var table = FocusTable()
        var written: [Int] = []
        for time: Int64 in [0, 1, 9, 10, 12, 25] {
            table.set(self.focus(), of: 1, now: time * Self.second)
            written.append(table.batch(10, now: time * Self.second).count)
        }
        #expect(written == [1, 0, 0, 1, 0, 1])
        table.set(self.focus(Self.elsewhere), of: 1, now: 26 * Self.second)
        let moved = table.batch(10, now: 26 * Self.second)
        #expect(moved.map(\.focus.conversation) == [Self.elsewhere])
    }

    @Test func theLastWordOfASocketCountsAndItsLeaseEndsOnce() {
        var table = FocusTable()
        for _ in 0..<100 {
            table.set(self.focus(), of: 1, now: 0)
            table.set(self.focus(isActive: false), of: 1, now: 0)
        }
        let nothing = table.batch(10, now: 0)
        #expect(nothing.isEmpty && table.count == 0)
        table.set(self.focus(), of: 1, now: 0)
        let begun = table.batch(10, now: 0)
        table.drop(1)
        table.drop(1)
        let ended = table.batch(10, now: 0)
        #expect(begun.count == 1 && ended.count == 1)
        #expect(ended.first?.id == begun.first?.id && ended.first?.focus.isActive == false)
    }

    @Test func batchesAreBoundedAndSoIsWhatWaits() {
        var table = FocusTable(capacity: 5)
        for slot: UInt32 in 0..<20 { table.set(self.focus(), of: slot, now: 0) }
        let batches = (0..<3).map { _ in table.batch(8, now: 0).count }
        for slot: UInt32 in 0..<20 { table.drop(slot) }
        let ended = table.batch(100, now: 0).count
        #expect(batches == [8, 8, 4])
        #expect(ended == 5)
    }

    @Test func aSocketSaysWhatItsUserLooksAt() throws {
        var harness = SessionHarness()
        try harness.join(topic: SessionHarness.inbox)
        let payload = #"{"conversation_id":"\#(SessionHarness.room.uuidString)"}"#
        let actions = try harness.broadcast("focus:set", payload, topic: SessionHarness.inbox)
        #expect(actions.first == .focus(self.focus()))
        let away = try harness.broadcast(
            "focus:set", #"{"conversation_id":null,"active":false}"#, topic: SessionHarness.inbox)
        #expect(away.first == .focus(self.focus(nil, isActive: false)))
        for name in ["Focus:set", "FOCUS:SET"] {
            #expect(
                try harness.broadcast(name, "{}", topic: SessionHarness.inbox).allSatisfy {
                    $0 != .focus(self.focus(nil))
                })
        }
    }
}
