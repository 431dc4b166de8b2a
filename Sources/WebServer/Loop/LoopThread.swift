internal import Glibc
internal import Synchronization

/// The identity of one event loop's thread: everything confined to the loop checks against it.
final class LoopThread: Sendable {
    /// `pthread_self()` of the loop, 0 until the thread runs.
    private let identity = Atomic<UInt>(0)

    /// Called once, by the loop's thread, before anything else runs on it.
    func adopt() { self.identity.store(pthread_self(), ordering: .releasing) }

    var isCurrent: Bool { self.identity.load(ordering: .relaxed) == pthread_self() }

    /// Stops the program when the caller is on another thread: going on would be a data race.
    func check() {
        guard self.isCurrent else {
            fatalError("WebServer state was touched off its event loop's thread; go through EventLoop.execute")
        }
    }
}

/// A value that only the loop's thread may touch; a touch from elsewhere stops the program with a sentence.
struct LoopBound<Value>: @unchecked Sendable {
    // Sendable because the only way to `value` traps unless the caller is on the loop's thread.
    let thread: LoopThread
    private let value: Value

    init(_ value: Value, thread: LoopThread) {
        self.value = value
        self.thread = thread
    }

    var onLoop: Value {
        self.thread.check()
        return self.value
    }
}
