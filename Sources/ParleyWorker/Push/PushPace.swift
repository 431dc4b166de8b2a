/// Keeps push from taking the database away from those who talk: after each of its transactions it pauses.
///
/// Twice as long as the transaction took: each costs much the same however little it does, and what comes meanwhile goes
/// together; while users wait for the database much longer. The price is that notifications come later then.
struct PushPace: Sendable {
    private static let yielding = Duration.milliseconds(50)...(.milliseconds(250))
    private static let times = (idle: 2, pressed: 8)

    /// Users wait for the database. Any thread.
    var isPressed: @Sendable () -> Bool = { false }

    /// - Parameter isBehind: there is more to do at once.
    func pause(after time: Duration, isBehind: Bool = false) -> Duration {
        guard self.isPressed() else { return isBehind ? .zero : min(time * Self.times.idle, Self.yielding.upperBound) }
        return min(max(time * Self.times.pressed, Self.yielding.lowerBound), Self.yielding.upperBound)
    }
}
