/// The times of the tail.
public struct TailPolicy: Sendable, Equatable {
    /// Between reads while events come that nobody announces, from other processes. Doubled for each read by the clock
    /// that finds nothing, and so read less often where only this process writes.
    public var busyPause: Duration
    /// The longest it becomes while the tail is awake.
    public var longestPause: Duration
    /// Pauses in a row, taken together, that end without news before the tail tries to sleep.
    public var quietBeforeSleep: Duration
    /// Events in one read from which on the tail lets `gatherPause` pass before the next, whoever nudges: so many are
    /// cheaper to read together, and the time goes to the writers.
    public var crowd: Int
    public var gatherPause: Duration
    /// Longest pause while a writer's open transaction keeps the tail from sleeping.
    public var longestBusyLockPause: Duration
    /// How long to sleep without a bell before looking anyway.
    public var backstop: Duration
    /// Shortest and longest pause between reads of a quiet log when there is no doorbell (poll-only).
    public var pollOnlyPause: ClosedRange<Duration>
    /// First and longest pause between attempts to connect.
    public var reconnectPause: ClosedRange<Duration>
    /// Between signs of life; the others forget a worker after a minute without.
    public var beat: Duration
    /// How long the server may take to answer before the connection is given up.
    public var answerTime: Duration

    public init(
        busyPause: Duration = .milliseconds(1), longestPause: Duration = .milliseconds(8),
        quietBeforeSleep: Duration = .milliseconds(14), crowd: Int = 8,
        gatherPause: Duration = .milliseconds(2), longestBusyLockPause: Duration = .milliseconds(20),
        backstop: Duration = .seconds(1),
        pollOnlyPause: ClosedRange<Duration> = .milliseconds(20)...(.milliseconds(50)),
        reconnectPause: ClosedRange<Duration> = .milliseconds(50)...(.seconds(5)), beat: Duration = .seconds(15),
        answerTime: Duration = .seconds(10)
    ) {
        self.busyPause = busyPause
        self.longestPause = longestPause
        self.quietBeforeSleep = quietBeforeSleep
        self.crowd = crowd
        self.gatherPause = gatherPause
        self.longestBusyLockPause = longestBusyLockPause
        self.backstop = backstop
        self.pollOnlyPause = pollOnlyPause
        self.reconnectPause = reconnectPause
        self.beat = beat
        self.answerTime = answerTime
    }
}
