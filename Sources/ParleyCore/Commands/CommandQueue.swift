internal import FoundationEssentials

/// What waits for a transaction, by what holds it up.
///
/// Commands of one user about one conversation are held up by the same and form a line. A line stands at one of two places,
/// its conversation or its user: at the busy one, if one is. The places that are not busy take turns, and so do the lines
/// of a place. Whoever finds the other place busy moves there, and there are never many busy places: taking costs as much
/// as what is taken and what runs, however much waits. Nobody of a line overtakes another.
struct CommandQueue: Sendable {
    typealias Entry = CommandBatcher.Entry

    struct Line: Hashable, Sendable {
        var conversation: UUID
        var user: UUID?

        func other(than place: UUID) -> UUID? { place == self.conversation ? self.user : self.conversation }
    }

    private struct Waiting: Sendable {
        var entry: Entry
        var number: Int
        var since: Int64
    }

    private struct Place: Sendable {
        var lines = Turns<Line>()
        /// It stands in `ready`, where busy ones may still stand too.
        var isReady = false
    }

    private var lines: [Line: Turns<Waiting>] = [:]
    private var places: [UUID: Place] = [:]
    private var ready = Turns<UUID>()
    /// Everything in the order it came; what has left is dropped late.
    private var arrivals = Turns<(line: Line, number: Int)>()
    private var number = 0
    private(set) var count = 0
    /// Places looked at by all takes, for whoever asks what they cost.
    private(set) var looks = 0

    init() {}

    /// Since when the oldest waits.
    var since: Int64? { self.arrivals.first.flatMap { self.lines[$0.line]?.first?.since } }

    mutating func append(_ entry: Entry, _ line: Line, since: Int64, isBusy: (UUID) -> Bool) {
        self.number += 1
        self.count += 1
        self.arrivals.append((line, self.number))
        self.lines[line, default: Turns()].append(Waiting(entry: entry, number: self.number, since: since))
        if self.lines[line]?.count == 1 {
            let user = line.user.flatMap { isBusy($0) ? $0 : nil }
            self.stand(line, at: user ?? line.conversation, isBusy)
        }
    }

    /// A place is no longer busy.
    mutating func release(_ place: UUID) {
        guard let index = self.places.index(forKey: place), !self.places.values[index].isReady else { return }
        self.places.values[index].isReady = true
        self.ready.append(place)
    }

    /// The next that nothing holds up.
    mutating func take(_ most: Int, isBusy: (UUID) -> Bool) -> [Entry] {
        var batch: [Entry] = []
        while batch.count < most, let place = self.ready.popFirst() {
            self.looks += 1
            guard let index = self.places.index(forKey: place) else { continue }
            self.places.values[index].isReady = false
            if isBusy(place) { continue }
            if let line = self.places.values[index].lines.popFirst() {
                if let other = line.other(than: place), isBusy(other) {
                    self.stand(line, at: other, isBusy)
                } else if let entry = self.leave(line) {
                    batch.append(entry)
                    if self.lines[line] != nil { self.places[place]?.lines.append(line) }
                }
            }
            if self.places[place]?.lines.isEmpty == true { self.places[place] = nil } else { self.release(place) }
        }
        self.forgetWhoLeft()
        return batch
    }

    /// Takes out the lines that match, in the order they came. Costs as much as all that waits.
    mutating func removeAll(where matches: (Line) -> Bool) -> [Entry] {
        var taken: [Waiting] = []
        for line in Array(self.lines.keys) where matches(line) {
            guard let waiting = self.lines.removeValue(forKey: line) else { continue }
            taken += waiting.all
        }
        // so that a line that comes again does not stand twice
        for index in self.places.indices { self.places.values[index].lines.removeAll(where: matches) }
        self.count -= taken.count
        self.forgetWhoLeft()
        return taken.sorted { $0.number < $1.number }.map(\.entry)
    }

    private mutating func stand(_ line: Line, at place: UUID, _ isBusy: (UUID) -> Bool) {
        self.places[place, default: Place()].lines.append(line)
        if !isBusy(place) { self.release(place) }
    }

    private mutating func leave(_ line: Line) -> Entry? {
        guard let index = self.lines.index(forKey: line), let first = self.lines.values[index].popFirst() else {
            return nil
        }
        if self.lines.values[index].isEmpty { self.lines.remove(at: index) }
        self.count -= 1
        return first.entry
    }

    private mutating func forgetWhoLeft() {
        while let first = self.arrivals.first, self.hasLeft(first) { _ = self.arrivals.popFirst() }
        if self.arrivals.count > 64 + 2 * self.count {
            let lines = self.lines
            self.arrivals.removeAll { Self.hasLeft($0, lines) }
        }
    }

    private func hasLeft(_ arrival: (line: Line, number: Int)) -> Bool { Self.hasLeft(arrival, self.lines) }

    private static func hasLeft(_ arrival: (line: Line, number: Int), _ lines: [Line: Turns<Waiting>]) -> Bool {
        lines[arrival.line]?.first.map { $0.number > arrival.number } ?? true
    }
}

/// An array that is left at its start, in constant time.
private struct Turns<Element: Sendable>: Sendable {
    private var elements: [Element?] = []
    private var head = 0

    var isEmpty: Bool { self.head == self.elements.count }
    var count: Int { self.elements.count - self.head }
    var first: Element? { self.isEmpty ? nil : self.elements[self.head] }
    var all: [Element] { self.elements[self.head...].compactMap(\.self) }

    mutating func append(_ element: Element) { self.elements.append(element) }

    mutating func popFirst() -> Element? {
        if self.isEmpty { return nil }
        let element = self.elements[self.head].take()
        self.head += 1
        if self.head * 2 > self.elements.count {
            self.elements.removeFirst(self.head)
            self.head = 0
        }
        return element
    }

    mutating func removeAll(where matches: (Element) -> Bool) {
        self.elements = self.all.filter { !matches($0) }
        self.head = 0
    }
}
