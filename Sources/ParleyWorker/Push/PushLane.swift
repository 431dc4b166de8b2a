internal import ParleyCore
internal import Support

/// Delivers the jobs of one provider: claims as many as it can hold, lets the machines of its routes decide, sends, and
/// settles in batches. A provider that is slow or down fills its own lane and no other.
actor PushLane<Provider: PushProvider> {
    typealias Machine = DeliveryMachine<Provider>

    /// What the lane is told of a target: the name of its route.
    struct Routes: Sendable {
        var provider: PushTarget.Provider
        var name: @Sendable (PushTarget) throws(PushRefusal) -> String
        /// Makes the route when it is first needed.
        var make: @Sendable (_ name: String) -> PushRoute<Provider>?
    }

    private struct Route {
        var route: PushRoute<Provider>
        var machine: Machine
        var timer: Task<Void, Never>?
    }

    let routes: Routes
    private let policy: PushPolicy
    let bounds: PushBounds
    let queue: any PushQueue
    let metrics: PushMetrics
    let pace: PushPace
    let log: Log
    let clock = ContinuousClock()
    private let origin = ContinuousClock.now
    private var known: [String: Route] = [:]
    var held = 0
    var unsettled: [PushSettlement] = []
    /// What claims under way may bring.
    private var promised = 0
    var settling: Task<Void, Never>?
    var isDraining = false
    /// The task of `run` was cancelled: nobody waits for anything any more, and leases see to what is left.
    private var isCancelled = false
    /// Waits for a reason to claim; and whether there was one meanwhile.
    private var sleeper: CheckedContinuation<Void, Never>?
    private var hasNews = false
    /// There may be a call that no claim has looked for.
    private var isUrgent = false
    private var idlers: [CheckedContinuation<Void, Never>] = []
    private var tally = AnswerTally()

    init(
        _ routes: Routes, policy: PushPolicy, bounds: PushBounds, queue: any PushQueue, metrics: PushMetrics,
        pace: PushPace, log: Log
    ) {
        self.routes = routes
        self.policy = policy
        self.bounds = bounds
        self.queue = queue
        self.metrics = metrics
        self.pace = pace
        self.log = log
    }

    private var now: PushMoment {
        PushMoment(steady: self.clock.now - self.origin, unix: Clock.unixMilliseconds())
    }

    // MARK: - Claiming

    /// Works until the task is cancelled, or `drain` has ended.
    func run() async throws {
        try await withTaskCancellationHandler {
            try await self.work()
        } onCancel: {
            Task { await self.cancel() }
        }
    }

    private func cancel() {
        self.isCancelled = true
        self.settling?.cancel()
        self.stopSleeping()
        self.resumeIdlers()
    }

    private func work() async throws {
        var pause = self.bounds.claimPause.lowerBound
        while !self.isDraining {
            try Task.checkCancellation()
            let room = self.room
            // Calls have some room of their own.
            let isFull = room <= 0 || self.unsettled.count >= self.bounds.mostHeld
            let most = min(isFull ? room + self.bounds.callRoom : room, self.bounds.mostClaimed)
            guard most > 0 else {
                await self.sleep(for: self.bounds.claimPause.upperBound)
                continue
            }
            let begun = self.clock.now
            self.isUrgent = false
            let count = await self.claim(isFull ? [.call] : PushJob.Lane.allCases, most)
            let isBehind = count == most
            await self.rest(after: self.clock.now - begun, isBehind: isBehind)
            if isBehind { continue }
            guard let count else {
                // The database is asked less often while it does not answer.
                await self.sleep(for: self.bounds.failurePause)
                continue
            }
            pause =
                count > 0 ? self.bounds.claimPause.lowerBound : min(pause * 2, self.bounds.claimPause.upperBound)
            if await self.sleep(for: pause) { pause = self.bounds.claimPause.lowerBound }
        }
        await self.finish()
    }

    /// - Returns: how many came; nil if the queue did not say.
    private func claim(_ lanes: [PushJob.Lane], _ most: Int) async -> Int? {
        let wish = self.promise(lanes, most)
        defer { self.end(wish) }
        do {
            let jobs = try await self.queue.claim(wish)
            self.take(jobs)
            return jobs.count
        } catch {
            guard !self.isCancelled else { return nil }
            self.log.warning("push jobs cannot be claimed", [("provider", self.routes.provider.rawValue)])
            return nil
        }
    }

    private var room: Int { self.bounds.mostHeld - self.held - self.promised }

    private func promise(_ lanes: [PushJob.Lane], _ most: Int) -> PushClaim {
        let now = self.now.steady
        let paused = self.known.filter { $0.value.machine.pausedUntil(now: now) != nil }.keys.sorted()
        self.promised += most
        return PushClaim(provider: self.routes.provider, lanes: lanes, most: most, paused: paused)
    }

    private func end(_ claim: PushClaim) {
        self.promised -= claim.most
        self.resumeIdlers()
    }

    /// What somebody else may claim for it, and `receive`s it then, whatever came of it; nil when it has no room.
    func offer() -> PushClaim? {
        let most = min(self.room, self.bounds.mostClaimed)
        guard most > 0, self.unsettled.count < self.bounds.mostHeld, !self.isDraining, !self.isCancelled else {
            return nil
        }
        return self.promise(PushJob.Lane.allCases, most)
    }

    func receive(_ jobs: [PushJob], of offer: PushClaim) {
        self.take(jobs)
        self.end(offer)
    }

    private func take(_ jobs: [PushJob]) {
        self.held += jobs.count
        var shares: [String: [PushJob]] = [:]
        for job in jobs {
            if self.isDraining {
                self.settle(PushSettlement(job, .retry(after: .zero, counts: false), "the worker stops"))
                continue
            }
            do throws(PushRefusal) {
                let name = try self.routes.name(job.target)
                guard self.open(name) else {
                    // A setting may follow; till then the job is not due.
                    self.settle(PushSettlement(job, .retry(after: .seconds(60), counts: false), "no credentials"))
                    continue
                }
                shares[name, default: []].append(job)
            } catch {
                self.settle(PushSettlement(job, error))
            }
        }
        for (name, jobs) in shares { self.feed(.claimed(jobs), to: name) }
    }

    private func open(_ name: String) -> Bool {
        if self.known[name] != nil { return true }
        guard let route = self.routes.make(name) else { return false }
        if self.known.count >= self.bounds.mostRoutes { self.forgetIdleRoutes() }
        self.known[name] = Route(
            route: route,
            machine: Machine(route.provider, policy: self.policy, seed: UInt64.random(in: 0 ... .max)))
        return true
    }

    private func forgetIdleRoutes() {
        let now = self.now.steady
        let idle = self.known.filter { $0.value.machine.count == 0 && $0.value.machine.pausedUntil(now: now) == nil }
        for name in idle.keys { self.known[name] = nil }
        self.metrics.forget(idle.keys, of: self.routes.provider)
    }

    // MARK: - Machines

    private func feed(_ event: Machine.Event, to name: String) {
        guard let actions = self.known[name]?.machine.event(event, now: self.now),
            let route = self.known[name]?.route
        else { return }
        for action in actions {
            switch action {
            case .send(let id, let request):
                Task {
                    let start = self.clock.now
                    let answer = await route.send(request)
                    self.tally.add(self.clock.now - start)
                    self.feed(.answered(id, answer), to: name)
                }
            case .settle(let settlement): self.settle(settlement)
            case .renew:
                Task {
                    switch await route.renew() {
                    case .token(let text, let life): self.feed(.renewed(text, life: life), to: name)
                    case .failed(let reason, let isRefused):
                        self.feed(.renewalFailed(reason: reason, isRefused: isRefused), to: name)
                    }
                }
            case .wake(let time):
                self.known[name]?.timer?.cancel()
                self.known[name]?.timer = Task {
                    guard (try? await self.clock.sleep(until: self.origin + time)) != nil else { return }
                    self.feed(.woke, to: name)
                }
            case .report(let report): self.tell(report, of: name)
            }
        }
    }

    // MARK: - Waiting

    /// For the sake of those who talk; not while the worker stops, nor when there is a call.
    func rest(after time: Duration, isBehind: Bool) async {
        // Its loops end with the task by themselves.
        try? await self.pace.rest(.sending, after: time, isBehind: isBehind) { self.isDraining || self.isUrgent }
    }

    /// There may be jobs, and urgent ones.
    func nudge(isUrgent: Bool = false) {
        self.hasNews = true
        if isUrgent { self.isUrgent = true }
        self.sleeper?.resume()
        self.sleeper = nil
    }

    /// Ends early when there is news; true if there was.
    @discardableResult
    private func sleep(for time: Duration) async -> Bool {
        if !self.hasNews {
            let timer = Task {
                guard (try? await Task.sleep(for: time)) != nil else { return }
                self.stopSleeping()
            }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    if Task.isCancelled { continuation.resume() } else { self.sleeper = continuation }
                }
            } onCancel: {
                Task { await self.stopSleeping() }
            }
            timer.cancel()
        }
        defer { self.hasNews = false }
        return self.hasNews
    }

    private func stopSleeping() {
        self.sleeper?.resume()
        self.sleeper = nil
    }

    /// Waits for what is under way.
    private func finish() async {
        while !self.isCancelled, self.held > 0 || self.settling != nil || self.promised > 0 {
            await withCheckedContinuation { self.idlers.append($0) }
        }
    }

    func resumeIdlers() {
        for idler in self.idlers { idler.resume() }
        self.idlers = []
    }

    /// Claims nothing more, gives back what waits, and finishes what is under way.
    func drain() async {
        self.isDraining = true
        self.nudge()
        for name in self.known.keys { self.feed(.drain, to: name) }
        await self.finish()
        self.log.info(
            "push ends",
            [
                ("provider", self.routes.provider.rawValue), ("answers", "\(self.tally.count)"),
                ("p50_us", "\(self.tally.percentile(50))"), ("p99_us", "\(self.tally.percentile(99))"),
            ])
    }
}
