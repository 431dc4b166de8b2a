/// Keeps push from taking the database away from those who talk: after each of its transactions it pauses.
///
/// As long as the transaction took, for each costs much the same however little it does, and what comes meanwhile goes
/// together. While users wait for the database it pauses much longer: of all that is said in a conversation meanwhile one
/// notification tells, so that push costs less the longer it waits. The price is that notifications come later then.
struct PushPace: Sendable {
    /// Who pauses: of what is read from the log at longer intervals there is less to send.
    enum Stage { case reading, sending }

    /// What a stage pauses at most; while users wait, the reading always.
    private static let longest = (reading: Duration.seconds(3), sending: Duration.milliseconds(250))
    private static let timesPressed = 10
    /// So soon it is seen that nobody waits any more, or that the worker stops.
    private static let look = Duration.milliseconds(20)

    /// Users wait for the database. Any thread.
    var isPressed: @Sendable () -> Bool = { false }

    /// - Returns: how long to pause before the next look whether that was enough; nil when it was.
    func pause(_ stage: Stage, after time: Duration, paused: Duration) -> Duration? {
        let length =
            switch stage {
            case _ where !self.isPressed(): min(time, Self.longest.sending)
            case .reading: Self.longest.reading
            case .sending: min(time * Self.timesPressed, Self.longest.sending)
            }
        return paused < length ? min(length - paused, Self.look) : nil
    }
}
