public import ParleyCore

/// What one read of the log found.
public struct TailBatch: Sendable {
    /// By ascending id. Empty when only the position is news.
    public var events: [LogEvent]
    /// The position after them.
    public var cursor: LogCursor

    public init(events: [LogEvent], cursor: LogCursor) {
        self.events = events
        self.cursor = cursor
    }
}
