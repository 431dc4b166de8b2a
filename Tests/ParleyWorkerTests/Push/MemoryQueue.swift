import ParleyCore
import Support

@testable import ParleyWorker

/// A queue that hands out what it is given, once, and remembers what it is told.
final class MemoryQueue: PushQueue {
    struct State: Sendable {
        var waiting: [PushJob] = []
        var settled: [PushSettlement] = []
        var claims: [PushClaim] = []
        var failures = 0
        var settlesFail = false
    }
    struct Failure: Error {}

    let state: Locked<State>

    init(_ jobs: [PushJob]) { self.state = Locked(State(waiting: jobs)) }

    func claim(_ wish: PushClaim) async throws -> [PushJob] {
        try self.state.withLock { state in
            if state.failures > 0 {
                state.failures -= 1
                throw Failure()
            }
            state.claims.append(wish)
            let matching = state.waiting.filter { $0.target.provider == wish.provider && wish.lanes.contains($0.lane) }
            let taken = Array(matching.prefix(wish.most))
            state.waiting.removeAll { job in taken.contains { $0.id == job.id } }
            return taken
        }
    }

    func settle(_ settlements: [PushSettlement]) async throws {
        try self.state.withLock { state in
            if state.settlesFail { throw Failure() }
            if state.failures > 0 {
                state.failures -= 1
                throw Failure()
            }
            state.settled += settlements
        }
    }

    var settled: [PushSettlement] { self.state.withLock { $0.settled } }
}
