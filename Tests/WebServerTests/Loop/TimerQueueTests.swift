import Support
import Testing

@testable import WebServer

struct TimerQueueTests {
    private func entry(_ id: UInt64, due: Int64, period: Int64 = 0) -> TimerQueue.Entry {
        .init(id: id, due: due, period: period, work: {})
    }

    private func due(_ queue: inout TimerQueue, at now: Int64) -> [UInt64] {
        var ids: [UInt64] = []
        while let entry = queue.takeDue(now) { ids.append(entry.id) }
        return ids
    }

    @Test func takesWhatIsDueInOrder() {
        var queue = TimerQueue()
        for (id, time) in [(1, 30), (2, 10), (3, 20), (4, 10), (5, 40)] as [(UInt64, Int64)] {
            queue.insert(self.entry(id, due: time))
        }
        #expect(queue.nextDue == 10)
        #expect(self.due(&queue, at: 9) == [])
        // Those due at the same time run in the order in which they were set.
        #expect(self.due(&queue, at: 20) == [2, 4, 3])
        queue.remove(1)
        #expect(self.due(&queue, at: 100) == [5])
        #expect(queue.nextDue == nil)
    }

    @Test func repeatsWithoutCatchingUp() {
        var queue = TimerQueue()
        queue.insert(self.entry(1, due: 10, period: 10))
        #expect(self.due(&queue, at: 10) == [1])
        #expect(queue.nextDue == 20)
        #expect(self.due(&queue, at: 95) == [1])
        #expect(queue.nextDue == 96)
        queue.remove(1)
        #expect(queue.nextDue == nil)
    }
}
