internal import ParleyCore
internal import Support

extension PushLane {
    func settle(_ settlement: PushSettlement) {
        let wasFull = self.held >= self.bounds.mostHeld
        self.held -= 1
        self.metrics.settled(
            settlement, of: self.routes.provider, madeAt: settlement.madeAt, now: Clock.unixMilliseconds())
        self.unsettled.append(settlement)
        if wasFull { self.nudge() }
        if self.settling == nil { self.settling = Task { await self.flush() } }
    }

    /// What comes while a batch is on its way is the next batch.
    private func flush() async {
        while !self.unsettled.isEmpty {
            let batch = Array(self.unsettled.prefix(self.bounds.mostClaimed))
            self.unsettled.removeFirst(batch.count)
            let begun = self.clock.now
            await self.deliver(batch)
            let isFull = batch.count == self.bounds.mostClaimed
            let time = self.clock.now - begun
            await self.rest(after: isFull ? time : max(time, self.bounds.settlePause), isBehind: isFull)
        }
        self.settling = nil
        self.resumeIdlers()
    }

    /// Tries as long as the leases may last, and once when the worker stops; after that the jobs come again, with the same
    /// ids.
    private func deliver(_ batch: [PushSettlement]) async {
        let end = self.clock.now + self.bounds.settleTime
        var pause = Duration.milliseconds(100)
        while true {
            do {
                return try await self.queue.settle(batch)
            } catch {
                guard self.clock.now + pause < end, !self.isDraining, !Task.isCancelled else {
                    // The next ones would wait for as long.
                    let lost = batch.count + (self.isDraining ? self.unsettled.count : 0)
                    if self.isDraining { self.unsettled = [] }
                    self.log.error("push jobs cannot be settled", [("jobs", "\(lost)")])
                    return
                }
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            }
        }
    }
}
