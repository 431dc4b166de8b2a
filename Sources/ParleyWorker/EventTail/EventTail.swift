public import ParleyCore
public import PostgresClient
public import Support

/// Follows the event log: every committed event, once, as soon as it is visible.
///
/// One connection, one thread. The position (`LogCursor`) is in memory: a new process starts at the log's end, and its
/// clients catch up by their own positions. A broken connection is made anew, and the tail goes on where it was.
public struct EventTail: Service {
    struct Settings: Sendable {
        let configuration: PostgresConfiguration
        let workerName: String
        let version: String
        let pollOnly: Bool
        let policy: TailPolicy
        let nudge: PostgresConnection.Nudge
        let log: Log
        let deliver: @Sendable (TailBatch) async -> Void
        let registered: @Sendable (String) -> Void
        let epochChanged: @Sendable () -> Void
        let state: @Sendable (TailState) -> Void
        let trouble: @Sendable (PostgresError) -> Void
    }

    public var name: String { "tail" }

    private let settings: Settings

    /// - Parameters:
    ///   - configuration: a login that may run the worker's functions.
    ///   - workerName, version: how this worker registers itself in `parley.worker`.
    ///   - pollOnly: never LISTEN and never sleep: for poolers in transaction mode (which are also recognised).
    ///   - nudge: given when a transaction of this process has committed: the tail reads at once.
    ///   - deliver: takes a batch; the next read happens when it returns. An empty batch tells the position only:
    ///     after connecting, after `epochChanged`, before sleeping.
    ///   - registered: told the worker's id in `parley.worker`, each time it has one.
    ///   - epochChanged: the log is another one (restore, failover): every position held anywhere is void.
    ///   - state: called when the state changes.
    ///   - trouble: why the database cannot be read; called at every failure, before `state`.
    public init(
        _ configuration: PostgresConfiguration, workerName: String, version: String, pollOnly: Bool = false,
        policy: TailPolicy = TailPolicy(), nudge: PostgresConnection.Nudge = .init(), log: Log,
        deliver: @escaping @Sendable (TailBatch) async -> Void,
        registered: @escaping @Sendable (String) -> Void = { _ in },
        epochChanged: @escaping @Sendable () -> Void, state: @escaping @Sendable (TailState) -> Void,
        trouble: @escaping @Sendable (PostgresError) -> Void = { _ in }
    ) {
        self.settings = Settings(
            configuration: configuration, workerName: workerName, version: version, pollOnly: pollOnly,
            policy: policy, nudge: nudge, log: log, deliver: deliver, registered: registered,
            epochChanged: epochChanged,
            state: state, trouble: trouble)
    }

    /// Follows the log until the task is cancelled; then gives the registration back and returns.
    ///
    /// - Throws: when the database has had a breaking migration that this worker does not know.
    public func run() async throws {
        let interrupter = PostgresConnection.Interrupter()
        let runner = TailRunner(self.settings, interrupter: interrupter)
        try await withTaskCancellationHandler {
            try await runner.run()
        } onCancel: {
            interrupter.interrupt()
        }
    }
}
