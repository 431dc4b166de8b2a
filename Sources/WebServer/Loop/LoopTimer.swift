internal import Synchronization

/// The handle of a timer of an ``EventLoop``. The timer runs until it is cancelled, whether or not anybody keeps this.
public final class LoopTimer: Sendable {
    private let loop: EventLoop
    let id: UInt64

    private static let lastID = Atomic<UInt64>(0)

    init(loop: EventLoop) {
        self.loop = loop
        self.id = Self.lastID.add(1, ordering: .relaxed).newValue
    }

    /// Stops it: no run begins after the loop has taken note. Any thread; harmless when it already ended.
    public func cancel() { self.loop.cancel(self.id) }
}
