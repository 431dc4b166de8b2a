/// Keeps push from taking the database away from those who talk: after a transaction it pauses, unless more
/// is due and nobody waits.
///
/// As long as the transaction took, for each costs much the same however little it does, and what comes meanwhile goes
/// together. While users wait for the database it pauses much longer: of all that is said in a conversation meanwhile one
/// notification tells, so that push costs less the longer it waits. The price is that notifications come later then.
struct PushPace: Sendable {
    /// Who pauses: of what is read from the log at longer intervals there is less to send.
    enum Stage { case reading, sending }

    /// The longest pause; but the reading, once it has come to the end of the log, pauses for `untilRead` while users wait.
    private static let longest = Duration.milliseconds(250)
    private static let untilRead = Duration.seconds(3)
    /// How many times as long as its transaction the sending pauses while users wait.
    private static let times = (behind: 2, otherwise: 10)
    /// So soon it is seen that nobody waits any more, or that the worker stops.
    private static let look = Duration.milliseconds(20)

    /// Users wait for the database. Any thread.
    var isPressed: @Sendable () -> Bool = { false }

    /// - Parameter isBehind: there is more to do at once. A long pause would let the lag grow without bound.
    /// - Returns: how long to pause before the next look whether that was enough; nil when it was.
    func pause(_ stage: Stage, after time: Duration, isBehind: Bool, paused: Duration) -> Duration? {
        let length: Duration =
            switch (stage, self.isPressed()) {
            case (.reading, true) where !isBehind: Self.untilRead
            case (.sending, true): min(time * (isBehind ? Self.times.behind : Self.times.otherwise), Self.longest)
            case (.sending, false) where isBehind: .zero
            default: min(time, Self.longest)
            }
        return paused < length ? min(length - paused, Self.look) : nil
    }

    /// Pauses for the sake of those who talk, until that was enough or `isOver`; ends with the task.
    func rest(
        _ stage: Stage, after time: Duration, isBehind: Bool, isolation: isolated (any Actor)? = #isolation,
        until isOver: () -> Bool
    ) async throws {
        let start = ContinuousClock.now
        while !isOver(), let part = self.pause(stage, after: time, isBehind: isBehind, paused: .now - start) {
            try await Task.sleep(for: part)
        }
    }
}
