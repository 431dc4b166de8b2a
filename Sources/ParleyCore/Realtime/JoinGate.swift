/// Keeps what the log delivers while joins are being authorised, so that a channel can go live without a hole.
///
/// A join opens a ticket before its query is sent. Every event that the tail delivers from then on is recorded, once for
/// all open tickets. The answer of the query carries the position it saw; closing the ticket yields the recorded events,
/// and those which the position contains are already part of the answer. What is recorded is bounded: a ticket whose
/// beginning had to be dropped is refused, and its client joins again.
public struct JoinGate: Sendable {
    /// A place in the stream of recorded events.
    public struct Ticket: Sendable, Equatable {
        let start: UInt64
    }

    /// What happened while a ticket was open.
    public enum Missed: Sendable, Equatable {
        /// Every event since the ticket was opened, in the order of the tail.
        case events(ArraySlice<LogEvent>)
        /// More than the gate may hold.
        case overflowed
    }

    private let maxEvents: Int
    private let maxBytes: Int
    private var events: [LogEvent] = []
    private var bytes = 0
    /// Stream place of `events[head]`.
    private var first: UInt64 = 0
    private var head = 0
    /// Open tickets counted by start, ascending.
    private var open: [(start: UInt64, count: Int)] = []
    private var openHead = 0

    /// - Parameters:
    ///   - maxEvents: recorded events above which the oldest are dropped.
    ///   - maxBytes: payload bytes above which the oldest are dropped.
    public init(maxEvents: Int = 65_536, maxBytes: Int = 64 << 20) {
        self.maxEvents = maxEvents
        self.maxBytes = maxBytes
    }

    /// Recorded events at this moment.
    public var recorded: Int { self.events.count - self.head }
    /// Tickets that have not been closed.
    public var pending: Int { self.open[self.openHead...].reduce(0) { $0 + $1.count } }

    private var end: UInt64 { self.first + UInt64(self.recorded) }

    /// Starts recording for one join. To be called before the query that authorises it is sent.
    public mutating func openTicket() -> Ticket {
        let start = self.end
        if self.open.count > self.openHead, self.open[self.open.count - 1].start == start {
            self.open[self.open.count - 1].count += 1
        } else {
            self.open.append((start, 1))
        }
        return Ticket(start: start)
    }

    /// Notes an event that was just delivered to the live channels.
    public mutating func record(_ event: LogEvent) {
        guard self.open.count > self.openHead else {
            self.first += 1
            return
        }
        self.events.append(event)
        self.bytes += event.payload.count
        while self.recorded > self.maxEvents || self.bytes > self.maxBytes { self.dropOldest() }
    }

    /// Ends a ticket and answers what it missed. Every ticket is to be closed exactly once.
    public mutating func close(_ ticket: Ticket) -> Missed {
        let missed: Missed
        if ticket.start < self.first {
            missed = .overflowed
        } else {
            missed = .events(self.events[(self.head + Int(ticket.start - self.first))...])
        }
        self.release(ticket)
        return missed
    }

    private mutating func release(_ ticket: Ticket) {
        var low = self.openHead
        var high = self.open.count
        while low < high {
            let middle = (low + high) / 2
            if self.open[middle].start < ticket.start { low = middle + 1 } else { high = middle }
        }
        precondition(
            low < self.open.count && self.open[low].start == ticket.start && self.open[low].count > 0,
            "join ticket closed twice")
        self.open[low].count -= 1
        while self.openHead < self.open.count, self.open[self.openHead].count == 0 { self.openHead += 1 }
        guard self.openHead < self.open.count else {
            self.first = self.end
            self.events = []
            self.bytes = 0
            self.head = 0
            self.open = []
            self.openHead = 0
            return
        }
        if self.openHead > 64, self.openHead * 2 > self.open.count {
            self.open.removeFirst(self.openHead)
            self.openHead = 0
        }
        while self.recorded > 0, self.first < self.open[self.openHead].start { self.dropOldest() }
    }

    private mutating func dropOldest() {
        self.bytes -= self.events[self.head].payload.count
        // Left in place until the array is compacted: touching it would copy all of it while a slice is in use.
        self.head += 1
        self.first += 1
        if self.head > 256, self.head * 2 > self.events.count {
            self.events.removeFirst(self.head)
            self.head = 0
        }
    }
}
