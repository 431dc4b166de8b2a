/// What the tail of the log is doing, as others may want to know.
public enum TailState: String, Sendable, Hashable {
    /// No connection: events are not seen, but none is lost.
    case disconnected
    /// Reading every few milliseconds.
    case awake
    /// Waiting for the doorbell.
    case asleep

    /// Whether a committed event arrives without delay.
    public var isLive: Bool { self != .disconnected }
}
