internal import CLinux
internal import Glibc
internal import Support

/// The one door into a loop from other threads: jobs in arrival order, and one wake-up per burst.
///
/// It outlives the C context: the thread goes on running jobs until the loop object itself is gone, so that nobody
/// who awaits an actor of this loop hangs.
final class LoopMailbox: Sendable {
    enum Job: Sendable {
        /// A job of an actor pinned to the loop. The reference keeps the executor alive until the job has run.
        case actor(UnownedJob, on: EventLoop)
        case closure(@Sendable () -> Void)
    }

    /// What the thread has to do next.
    struct Errand {
        var jobs: [Job]
        var stopping: Bool
        var abandoned: Bool
    }

    private struct State {
        var jobs: [Job] = []
        /// True while the thread is certain to look into the mailbox before it sleeps again.
        var awake = true
        var stopping = false
        var abandoned = false
    }

    /// Readable when the thread must look into the mailbox; negative when there are no descriptors left.
    let wakeDescriptor: Int32
    private let state = Locked(State())

    init() { self.wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)) }

    deinit { if self.wakeDescriptor >= 0 { close(self.wakeDescriptor) } }

    /// Puts a job at the end. Any thread.
    func post(_ job: Job) {
        self.state.withLock { state in
            state.jobs.append(job)
            self.wake(&state)
        }
    }

    /// Asks the thread to leave the service loop and destroy the context.
    func stop() {
        self.state.withLock { state in
            state.stopping = true
            self.wake(&state)
        }
    }

    /// The loop object is gone: the thread ends once the mailbox is empty.
    func abandon() {
        self.state.withLock { state in
            state.stopping = true
            state.abandoned = true
            self.wake(&state)
        }
    }

    /// Takes everything that waits. Loop thread only.
    func take() -> Errand {
        self.state.withLock { state in
            state.awake = true
            let errand = Errand(jobs: state.jobs, stopping: state.stopping, abandoned: state.abandoned)
            state.jobs = []
            return errand
        }
    }

    /// True when nothing waits: the thread may sleep, and the next post will wake it. Loop thread only.
    func mayDoze() -> Bool {
        self.state.withLock { state in
            state.awake = !state.jobs.isEmpty
            return !state.awake
        }
    }

    /// The wake-up was seen. Loop thread only.
    func acknowledge() {
        var count: UInt64 = 0
        _ = read(self.wakeDescriptor, &count, 8)
    }

    private func wake(_ state: inout State) {
        guard !state.awake else { return }
        state.awake = true
        var one: UInt64 = 1
        _ = write(self.wakeDescriptor, &one, 8)
    }
}
