/// A timer of an ``EventLoop``; it runs until it is cancelled, whether or not anybody keeps this object.
public final class LoopTimer: Sendable {
    let loop: EventLoop
    let delay: Duration
    let repeats: Bool
    let work: @Sendable () -> Void

    init(loop: EventLoop, delay: Duration, repeats: Bool, work: @escaping @Sendable () -> Void) {
        self.loop = loop
        self.delay = delay
        self.repeats = repeats
        self.work = work
    }

    /// Stops it: no run begins after the loop has taken note. Any thread; harmless when it already ended.
    public func cancel() { self.loop.cancel(self) }

    /// Microseconds, at least one: lws reads 0 as "never".
    var microseconds: Int64 {
        let (seconds, attoseconds) = self.delay.components
        return max(1, seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }
}
