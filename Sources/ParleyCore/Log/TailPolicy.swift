/// The times of the tail.
public struct TailPolicy: Sendable, Equatable {
    /// Between reads while events come.
    public var busyPause: Duration
    /// Added for every read that found nothing, so that a quiet log is read less often.
    public var quietStep: Duration
    /// Reads in a row that find nothing before the tail tries to sleep.
    public var readsBeforeSleep: Int
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
        busyPause: Duration = .milliseconds(2), quietStep: Duration = .milliseconds(1), readsBeforeSleep: Int = 4,
        longestBusyLockPause: Duration = .milliseconds(20), backstop: Duration = .seconds(1),
        pollOnlyPause: ClosedRange<Duration> = .milliseconds(20)...(.milliseconds(50)),
        reconnectPause: ClosedRange<Duration> = .milliseconds(50)...(.seconds(5)), beat: Duration = .seconds(15),
        answerTime: Duration = .seconds(10)
    ) {
        self.busyPause = busyPause
        self.quietStep = quietStep
        self.readsBeforeSleep = readsBeforeSleep
        self.longestBusyLockPause = longestBusyLockPause
        self.backstop = backstop
        self.pollOnlyPause = pollOnlyPause
        self.reconnectPause = reconnectPause
        self.beat = beat
        self.answerTime = answerTime
    }
}
