internal import Glibc

/// A semaphore for threads that may block: unlike an eventfd it cannot fail for want of descriptors.
final class Gate: @unchecked Sendable {
    // Sendable because the pointer never changes, and semaphores are made to be used from any thread (pthreads(7)).
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        self.semaphore = .allocate(capacity: 1)
        self.semaphore.initialize(to: sem_t())
        sem_init(self.semaphore, 0, 0)
    }

    deinit {
        sem_destroy(self.semaphore)
        self.semaphore.deallocate()
    }

    func open() { sem_post(self.semaphore) }

    /// Blocks until `open` was called once more than this.
    func pass() { while sem_wait(self.semaphore) < 0, errno == EINTR {} }
}
