internal import Dispatch
internal import Glibc

/// Runs code that blocks away from the cooperative threads, of which there are as few as cores. A serial queue has a
/// thread of its own; the global queues share theirs with Swift's tasks.
public func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        DispatchQueue(label: "blocking").async { continuation.resume(with: Result { try body() }) }
    }
}

/// Polls until `condition` holds. Returns whether it did within `limit`.
public func eventually(
    within limit: Duration = .seconds(60), _ condition: @Sendable () async throws -> Bool
) async throws -> Bool {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        if deadline <= .now { return false }
        try await Task.sleep(for: .milliseconds(5))
    }
    return true
}

/// Between two looks of code that blocks.
public func blockingPause() { usleep(5_000) }
