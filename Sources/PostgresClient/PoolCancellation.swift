internal import Support

/// Takes back a transaction whose answer nobody wants any more.
///
/// What has not been sent is dropped and fails with `.cancelled`. What runs longer than a moment is cancelled on the
/// server; whether it was committed is then not known, unless it only reads. What is about to end anyhow is left to end.
public final class PoolCancellation: Sendable {
    private let wish = Locked(false)

    public init() {}

    /// Any thread, at any time, also before the transaction is submitted. The pool notices within 20 ms.
    public func cancel() { self.wish.withLock { $0 = true } }

    public var isCancelled: Bool { self.wish.withLock { $0 } }
}
