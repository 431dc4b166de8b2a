internal import CLinux
internal import Glibc

/// An eventfd: wakes a thread that waits in `poll`.
final class WakeHandle: Sendable {
    let descriptor: Int32

    init() {
        self.descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        // Only out of descriptors or memory; nothing works without it.
        precondition(self.descriptor >= 0, "eventfd failed")
    }

    deinit { Glibc.close(self.descriptor) }

    /// Any thread. Signals add up to one wake until `drain`.
    func signal() {
        var one: UInt64 = 1
        // It can only fail with EAGAIN when 2^64-2 signals are pending: then the thread is being woken already.
        _ = Glibc.write(self.descriptor, &one, MemoryLayout<UInt64>.size)
    }

    func drain() {
        var count: UInt64 = 0
        // EAGAIN: nothing was pending.
        _ = Glibc.read(self.descriptor, &count, MemoryLayout<UInt64>.size)
    }
}
