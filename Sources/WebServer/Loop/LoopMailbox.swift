internal import CWebSockets
internal import Support

/// The one door into a loop from other threads: jobs in arrival order, and one wake-up per burst.
///
/// It outlives the C context. After the context is destroyed the thread sleeps at a gate instead, and goes on
/// running jobs until the loop object itself is gone, so that nobody who awaits an actor of this loop hangs.
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
        /// The address of the live `lws_context`, 0 before and after its life. `lws_cancel_service` may be called
        /// from any thread while the context exists, so it is called under this lock only.
        var context: UInt = 0
    }

    private let state = Locked(State())
    private let thread: LoopThread
    private let gate = Gate()

    init(thread: LoopThread) { self.thread = thread }

    /// Puts a job at the end. Any thread.
    func post(_ job: Job) {
        let onLoop = self.thread.isCurrent
        self.state.withLock { state in
            state.jobs.append(job)
            self.wake(&state, onLoop: onLoop)
        }
    }

    /// Asks the thread to leave the service loop and destroy the context.
    func stop() {
        self.state.withLock { state in
            state.stopping = true
            self.wake(&state, onLoop: false)
        }
    }

    /// The loop object is gone: the thread ends once the mailbox is empty.
    func abandon() {
        self.state.withLock { state in
            state.stopping = true
            state.abandoned = true
            self.wake(&state, onLoop: false)
        }
    }

    /// The context that `wake` may signal; 0 withdraws it. Loop thread only.
    func publish(context: UInt) { self.state.withLock { $0.context = context } }

    /// Takes everything that waits. Loop thread only.
    func take() -> Errand {
        self.state.withLock { state in
            state.awake = true
            let errand = Errand(jobs: state.jobs, stopping: state.stopping, abandoned: state.abandoned)
            state.jobs = []
            return errand
        }
    }

    /// True when nothing waits: the thread may sleep and the next post will wake it. Loop thread only.
    func mayDoze() -> Bool {
        self.state.withLock { state in
            guard state.jobs.isEmpty, !state.stopping else { return false }
            state.awake = false
            return true
        }
    }

    /// Makes the next wait of the service loop return at once, if jobs wait. Loop thread only.
    func nudgeIfPending() {
        self.state.withLock { state in
            guard !state.jobs.isEmpty || state.stopping, let context = OpaquePointer(bitPattern: state.context) else {
                return
            }
            lws_cancel_service(context)
        }
    }

    /// Sleeps until something is posted. Loop thread only, and only without a context.
    func sleepWithoutContext() {
        let asleep = self.state.withLock { state in
            guard state.jobs.isEmpty, !state.abandoned else { return false }
            state.awake = false
            return true
        }
        if asleep { self.gate.pass() }
    }

    private func wake(_ state: inout State, onLoop: Bool) {
        guard !state.awake else { return }
        state.awake = true
        if let context = OpaquePointer(bitPattern: state.context) {
            // On the loop's own thread the service call is about to return anyway.
            if !onLoop { lws_cancel_service(context) }
        } else {
            self.gate.open()
        }
    }
}
