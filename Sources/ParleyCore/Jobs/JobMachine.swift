/// Decides when a worker looks at the table of jobs, and which it runs.
///
/// The database decides whether a job is due and who runs it (`parley.run_job`), so any number of workers may call, at
/// any time; a machine that is wrong wastes a call and no more. It looks, runs what is due, a few jobs side by side
/// and in the order they became due, and waits until the next one is, or for a while. A job with more to do goes behind
/// the others that wait. One that fails is put off by the database; one whose run has no known end, by this machine.
/// Draining finishes what runs and begins nothing.
public struct JobMachine: Sendable {
    /// A job as the table has it.
    public struct Job: Sendable, Equatable {
        public var name: String
        /// Zero: due.
        public var wait: Duration
        /// In a row, so far.
        public var failures: Int64
        /// SQLSTATE of the last one.
        public var code: String?

        public init(name: String, wait: Duration, failures: Int64 = 0, code: String? = nil) {
            self.name = name
            self.wait = wait
            self.failures = failures
            self.code = code
        }
    }

    public enum Event: Sendable, Equatable {
        case started
        /// What the table says.
        case listed([Job])
        case listFailed
        case ran(String, more: Bool)
        /// The database did not say how it ended.
        case runFailed(String)
        /// The time of the last `wake` has come.
        case woke
        case drain
    }

    public enum Action: Sendable, Equatable {
        case list
        case run(String)
        /// At that time, instead of any time named before.
        case wake(at: Duration)
        /// A job has failed again since it was last looked at.
        case report(Job)
        /// Nothing runs and nothing will.
        case finish
    }

    /// What this machine knows of a job; only of those in the table.
    private struct Memory {
        var isQueued = false
        var isRunning = false
        var notBefore = Duration.zero
        var lostRuns = 0
        var failures: Int64 = 0
    }

    private let policy: JobPolicy
    private var memories: [String: Memory] = [:]
    private var queue: [String] = []
    private var running = 0
    private var isListing = false
    private var failedLists = 0
    private var wakesAt: Duration?
    private var isDraining = false
    private var hasFinished = false

    public init(policy: JobPolicy = JobPolicy()) { self.policy = policy }

    /// - Parameter now: rises.
    public mutating func event(_ event: Event, now: Duration) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .started: actions += self.list()
        case .woke:
            self.wakesAt = nil
            actions += self.list()
        case .listed(let jobs):
            self.isListing = false
            self.failedLists = 0
            actions += self.take(jobs, now: now)
        case .listFailed:
            self.isListing = false
            self.failedLists += 1
            actions += self.wake(at: now + self.pause(after: self.failedLists))
        case .ran(let name, let more):
            self.running -= 1
            self.memories[name]?.isRunning = false
            self.memories[name]?.lostRuns = 0
            if more {
                self.enqueue(name)
            } else {
                actions += self.leave(name, until: now + self.policy.shortestPause)
            }
        case .runFailed(let name):
            self.running -= 1
            self.memories[name]?.isRunning = false
            self.memories[name]?.lostRuns += 1
            let pause = self.pause(after: self.memories[name]?.lostRuns ?? 1)
            actions += self.leave(name, until: now + pause)
        case .drain:
            self.isDraining = true
        }
        return actions + (self.isDraining ? self.windUp() : self.fill())
    }

    private mutating func list() -> [Action] {
        guard !self.isListing, !self.isDraining else { return [] }
        self.isListing = true
        return [.list]
    }

    private mutating func take(_ jobs: [Job], now: Duration) -> [Action] {
        guard !self.isDraining else { return [] }
        let names = Set(jobs.map(\.name))
        // One that runs is remembered until it has ended.
        self.memories = self.memories.filter { names.contains($0.key) || $0.value.isRunning }
        self.queue.removeAll { !names.contains($0) }
        var actions: [Action] = []
        var next = now + self.policy.longestPause
        for job in jobs {
            var memory = self.memories[job.name] ?? Memory()
            if job.failures > memory.failures { actions.append(.report(job)) }
            memory.failures = job.failures
            self.memories[job.name] = memory
            guard !memory.isRunning else { continue }
            let dueAt = max(now + job.wait, memory.notBefore)
            if dueAt <= now { self.enqueue(job.name) } else { next = min(next, dueAt) }
        }
        return actions + self.wake(at: next)
    }

    private mutating func enqueue(_ name: String) {
        // Gone from the table meanwhile: no matter.
        guard self.memories[name]?.isQueued == false, !self.isDraining else { return }
        self.memories[name]?.isQueued = true
        self.queue.append(name)
    }

    private mutating func leave(_ name: String, until time: Duration) -> [Action] {
        self.memories[name]?.notBefore = time
        return self.wake(at: time)
    }

    /// The earliest time anybody asked for counts.
    private mutating func wake(at time: Duration) -> [Action] {
        guard !self.isDraining, self.wakesAt.map({ time < $0 }) ?? true else { return [] }
        self.wakesAt = time
        return [.wake(at: time)]
    }

    private mutating func fill() -> [Action] {
        var actions: [Action] = []
        while self.running < self.policy.sideBySide, !self.queue.isEmpty {
            let name = self.queue.removeFirst()
            self.memories[name]?.isQueued = false
            self.memories[name]?.isRunning = true
            self.running += 1
            actions.append(.run(name))
        }
        return actions
    }

    private mutating func windUp() -> [Action] {
        self.queue = []
        guard self.running == 0, !self.isListing, !self.hasFinished else { return [] }
        self.hasFinished = true
        return [.finish]
    }

    private func pause(after failures: Int) -> Duration {
        min(self.policy.retryPause.lowerBound * (1 << min(failures - 1, 16)), self.policy.retryPause.upperBound)
    }
}
