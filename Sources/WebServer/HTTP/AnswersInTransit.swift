internal import Synchronization

/// Bytes of answers that were given on other threads and that the loop has not taken yet. From any thread.
final class AnswersInTransit: Sendable {
    private let bytes = Atomic<Int>(0)
    private let ceiling: Int

    init(ceiling: Int) { self.ceiling = ceiling }

    /// - Returns: false if there is no room; then nothing is counted. Small answers always have room.
    func enter(_ count: Int) -> Bool {
        let sum = self.bytes.add(count, ordering: .relaxed).newValue
        guard sum > self.ceiling, count > HeldBytes.smallAnswer else { return true }
        self.leave(count)
        return false
    }

    func leave(_ count: Int) { self.bytes.subtract(count, ordering: .relaxed) }
}
