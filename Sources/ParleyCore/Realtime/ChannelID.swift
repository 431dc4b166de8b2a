/// Names one membership of one topic on one socket, for as long as the worker runs.
///
/// A slot is used again after its socket has closed, a serial is not: an answer that arrives late for a channel that is
/// gone finds nothing.
public struct ChannelID: Hashable, Sendable {
    /// Index of the connection in the hub's table.
    public var slot: UInt32
    /// Number of the channel, counted per slot from 1; 0 names the connection itself.
    public var serial: UInt32

    public init(slot: UInt32, serial: UInt32) {
        self.slot = slot
        self.serial = serial
    }
}
