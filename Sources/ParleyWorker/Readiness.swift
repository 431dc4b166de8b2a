internal import Support

/// Whether the log is being read, as the health endpoint tells.
final class Readiness: Sendable {
    private struct State {
        var isLive = false
        var wasLive = false
        var trouble: DatabaseTrouble?
    }
    private let state = Locked(State())

    /// Why the worker cannot serve, and what to do; empty when it can.
    var problems: [String] {
        self.state.withLock { state in
            guard !state.isLive else { return [] }
            guard let trouble = state.trouble else { return ["the log of the database is not read yet"] }
            return ["\(trouble.state). \(trouble.advice)"]
        }
    }

    func note(_ trouble: DatabaseTrouble) { self.state.withLock { $0.trouble = trouble } }

    enum Change { case none, live, firstLive, lost }

    func set(_ isLive: Bool) -> Change {
        self.state.withLock { state in
            guard state.isLive != isLive else { return .none }
            state.isLive = isLive
            if isLive { state.trouble = nil }
            defer { state.wasLive = state.wasLive || isLive }
            return isLive ? (state.wasLive ? .live : .firstLive) : .lost
        }
    }
}
