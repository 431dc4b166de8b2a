/// The times of the job runner.
public struct JobPolicy: Sendable, Equatable {
    /// Jobs that run side by side, so that a long one does not hold up a short one.
    public var sideBySide: Int
    /// Longest pause between two looks at the table of jobs, whatever it says is due next.
    public var longestPause: Duration
    /// How long a job is left alone after a run that left nothing to do, or that another worker had.
    public var shortestPause: Duration
    /// First and longest pause after the database could not be asked, or could not say how a run ended.
    public var retryPause: ClosedRange<Duration>

    public init(
        sideBySide: Int = 2, longestPause: Duration = .seconds(5), shortestPause: Duration = .milliseconds(250),
        retryPause: ClosedRange<Duration> = .seconds(1)...(.seconds(30))
    ) {
        precondition(sideBySide > 0)
        self.sideBySide = sideBySide
        self.longestPause = longestPause
        self.shortestPause = shortestPause
        self.retryPause = retryPause
    }
}
