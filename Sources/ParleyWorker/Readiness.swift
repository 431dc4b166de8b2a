internal import Support

/// Whether the log is being read, as the health endpoint tells.
final class Readiness: Sendable {
    private struct State {
        var isLive = false
        var wasLive = false
    }
    private let state = Locked(State())

    var isLive: Bool { self.state.withLock { $0.isLive } }

    enum Change { case none, live, firstLive, lost }

    func set(_ isLive: Bool) -> Change {
        self.state.withLock { state in
            guard state.isLive != isLive else { return .none }
            state.isLive = isLive
            defer { state.wasLive = state.wasLive || isLive }
            return isLive ? (state.wasLive ? .live : .firstLive) : .lost
        }
    }
}
