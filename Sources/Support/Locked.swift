internal import Glibc

/// A value behind a mutex.
///
/// It wraps `pthread_mutex_t`, not `Synchronization.Mutex`: that one parks on a futex inside the uninstrumented
/// runtime, so ThreadSanitizer reports races that do not exist, and the sanitizer run would mean nothing.
public final class Locked<Value>: @unchecked Sendable {
    // Sendable because `value` is touched only while `mutex` is held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var value: Value

    public init(_ value: sending Value) {
        self.mutex = .allocate(capacity: 1)
        self.mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(self.mutex, nil)
        self.value = value
    }

    deinit {
        pthread_mutex_destroy(self.mutex)
        self.mutex.deallocate()
    }

    /// Runs `body` with exclusive access to the value. Do not call out to other locks or callbacks from `body`.
    public func withLock<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(self.mutex)
        defer { pthread_mutex_unlock(self.mutex) }
        return try body(&self.value)
    }
}
