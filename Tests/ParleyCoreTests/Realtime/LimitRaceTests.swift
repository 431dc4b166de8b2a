import FoundationEssentials
import Testing

@testable import ParleyCore

/// A plan that gets smaller, by every way it can, against the joins of its user, the tail and messages, in every order of
/// their steps.
@Suite struct LimitRaceTests {
    /// How a plan gets smaller.
    enum Change: CaseIterable, Sendable {
        /// The row says so at once, and the event comes with it.
        case downgrade
        /// The database obeys the clock; the event comes later, by a job.
        case subscriptionEnds
        /// The row of the tier, for everybody.
        case limit
        /// The user also leaves the conversation.
        case leavesStore
    }

    /// The database, the tail, and a worker with sockets of one user: it does what RealtimeService does.
    private struct World {
        static let large = limits(days: nil, connections: 2)
        static let small = limits(days: 2, connections: 1)
        /// Of a message that the smaller plan does not show, and of one that both do.
        static let old: Int64 = 1
        static let new: Int64 = 2

        let user = UUID()
        let here = UUID()
        let change: Change
        var log = LogModel()
        var isSmall = false
        var index = MembershipIndex()
        var gate = JoinGate()
        var book = LimitBook()
        var cursor: LogCursor
        var batch: (events: [LogEvent], cursor: LogCursor, limits: UserLimits)?
        var joins: [Join]
        var sockets: [Int] = []
        /// What each socket was sent, with the change where the worker knew of it.
        var received: [[String]]

        struct Join {
            var ticket: JoinGate.Ticket?
            var asked: UInt64?
            var grant: JoinGrant?
            var limits: UserLimits?
            /// A question of the worker's own about the user, under way.
            var again: UInt64?
        }

        init(_ change: Change, joins: Int) {
            self.change = change
            self.cursor = self.log.position
            self.joins = Array(repeating: Join(), count: joins)
            self.received = Array(repeating: [], count: joins)
        }

        static func limits(days: Int64?, connections: Int64) -> UserLimits {
            let rate = UserLimits.Rate(amount: nil, periodSeconds: 60, burst: nil)
            return UserLimits(requests: rate, receipts: rate, maxConnections: connections, retentionDays: days)
        }

        var limits: UserLimits { self.isSmall ? Self.small : Self.large }
        var isGone: Bool { self.change == .leavesStore && self.isSmall }

        mutating func say(_ seq: Int64) {
            self.log.commit(self.log.write("message:updated", conversation: self.here, messageSeq: seq))
        }

        /// First the fact, then what the log says of it; one transaction but where a clock ends the plan.
        mutating func shrink() {
            self.isSmall = true
            if self.change != .subscriptionEnds { self.tell() }
        }

        mutating func tell() {
            switch self.change {
            case .limit: self.log.commit(self.log.write("limits:changed", conversation: nil, user: UUID()))
            case .leavesStore:
                self.log.commit(self.log.write("participant:left", conversation: self.here, user: self.user))
                fallthrough
            default: self.log.commit(self.log.write("entitlements:changed", conversation: nil, user: self.user))
            }
        }

        mutating func poll() {
            guard self.batch == nil else { return }
            // The payload of an event is made when it is read.
            self.batch = (self.log.read(after: self.cursor), self.log.position, self.limits)
        }

        mutating func deliver() {
            guard let batch = self.batch else { return }
            self.batch = nil
            self.cursor = batch.cursor
            for event in batch.events {
                var out: [(LogEvent, ChannelID)] = []
                let effects = self.index.apply(event) { event, delivery in out.append((event, delivery.channel)) }
                for (event, channel) in out { self.send(event, to: channel) }
                switch event.kind {
                case "entitlements:changed" where event.userID == self.user:
                    if !self.sockets.isEmpty || self.book.knows(self.user) {
                        self.book.learn(batch.limits, of: self.user, now: 0)
                        self.closeSurplus()
                    }
                    for socket in self.received.indices { self.received[socket].append("changed") }
                case "limits:changed":
                    self.book.doubt()
                    if !self.sockets.isEmpty { self.askAgain(0) }
                default: break
                }
                self.gate.record(event)
                for channel in effects.closed { self.received[Int(channel.slot)].append("closed") }
            }
            self.index.advance(to: batch.cursor)
        }

        private mutating func send(_ event: LogEvent, to channel: ChannelID) {
            let isOld = event.messageSeq == Self.old
            if isOld, let days = self.book.limits(of: self.user)?.retentionDays, days <= 2 { return }
            self.received[Int(channel.slot)].append(isOld ? "old" : event.kind)
        }

        mutating func ask(_ join: Int) {
            self.joins[join].ticket = self.gate.openTicket()
            self.joins[join].asked = self.book.question(of: self.user, now: 0)
        }

        mutating func decide(_ join: Int) {
            self.joins[join].limits = self.limits
            let place = JoinGrant.Conversation(id: self.here, historyFrom: 0)
            self.joins[join].grant =
                self.isGone ? nil : JoinGrant(position: self.log.position, conversations: [place])
        }

        mutating func answer(_ number: Int) throws {
            let join = self.joins[number]
            let missed = self.gate.close(try #require(join.ticket))
            guard let grant = join.grant, case .events(let events) = missed else { return }
            if let asked = join.asked { self.book.learn(join.limits, of: self.user, asked: asked, now: 0) }
            self.sockets.append(number)
            self.book.keep(self.user, now: 0)
            if self.book.doubts(self.user), !self.book.awaitsAnswer(about: self.user) { self.askAgain(number) }
            self.closeSurplus()
            guard self.sockets.contains(number) else { return }
            var out: [LogEvent] = []
            let channel = ChannelID(slot: UInt32(number), serial: 1)
            let effects = self.index.subscribe(
                channel, topic: .conversation(self.here), version: .v1, user: self.user, grant: grant, missed: events
            ) { event, _ in out.append(event) }
            for event in out { self.send(event, to: channel) }
            if !effects.closed.isEmpty { self.received[number].append("closed") }
        }

        private mutating func askAgain(_ join: Int) {
            self.book.awaitAnswer(about: self.user, now: 0)
            self.joins[join].again = self.book.generation
        }

        private mutating func closeSurplus() {
            guard let most = self.book.limits(of: self.user)?.maxConnections else { return }
            for slot in self.sockets.dropFirst(Int(most)) {
                self.index.unsubscribe(ChannelID(slot: UInt32(slot), serial: 1))
            }
            self.sockets = Array(self.sockets.prefix(Int(most)))
        }

        /// Everything that is under way arrives.
        mutating func settle() {
            self.deliver()
            self.poll()
            self.deliver()
            for join in self.joins.indices {
                guard let again = self.joins[join].again else { continue }
                self.book.learn(self.limits, of: self.user, asked: again, now: 0)
                self.closeSurplus()
            }
        }

        /// Nil, or what is wrong after everything.
        var fault: String? {
            if !self.sockets.isEmpty {
                if self.book.limits(of: self.user) != Self.small { return "the worker keeps to the larger plan" }
                if self.book.doubts(self.user) { return "nobody asks about the user" }
            }
            if self.sockets.count > 1 { return "sockets beyond the plan" }
            for received in self.received {
                if let end = received.firstIndex(of: "changed"), received[end...].contains("old") {
                    return "something that the plan does not show, after it: \(received)"
                }
                if let end = received.firstIndex(of: "closed"), received[end...].contains("message:updated") {
                    return "something after the removal: \(received)"
                }
            }
            return self.gate.recorded == 0 && self.gate.pending == 0 ? nil : "the gate kept something"
        }
    }

    /// The steps of the writer: messages of both ages around the change.
    private func write(_ step: Int, _ world: inout World) {
        switch step {
        case 0: world.shrink()
        case 1: if world.change == .subscriptionEnds { world.tell() }
        default:
            world.say(World.old)
            world.say(World.new)
        }
    }

    private func join(_ number: Int, _ step: Int, _ world: inout World) throws {
        switch step {
        case 0: world.ask(number)
        case 1: world.decide(number)
        default: try world.answer(number)
        }
    }

    private func run(_ change: Change, _ order: [Int], joins: Int, known: Bool) throws {
        var world = World(change, joins: joins)
        // Of a user who has made a request the worker knows the limits, without a socket.
        if known { world.book.learn(World.large, of: world.user, now: 0) }
        var steps = Array(repeating: 0, count: 2 + joins)
        for actor in order {
            switch actor {
            case 0: self.write(steps[0], &world)
            case 1: if steps[1].isMultiple(of: 2) { world.poll() } else { world.deliver() }
            default: try self.join(actor - 2, steps[actor], &world)
            }
            steps[actor] += 1
        }
        world.settle()
        if let fault = world.fault { Issue.record("\(change), known \(known), order \(order): \(fault)") }
    }

    @Test(arguments: Change.allCases, [false, true])
    func aPlanGetsSmallerWhileItsUserJoins(change: Change, known: Bool) throws {
        // Writer: the change in two steps, messages of both ages. Tail: two rounds. Join: ask, decide, answer.
        for order in interleavings([3, 4, 3]) { try self.run(change, order, joins: 1, known: known) }
    }

    @Test(arguments: Change.allCases)
    func aPlanGetsSmallerWhileTwoSocketsJoin(change: Change) throws {
        // Of two sockets that are alike the first asks first.
        for order in interleavings([2, 2, 3, 3]) where order.first(where: { $0 > 1 }) == 2 {
            try self.run(change, order, joins: 2, known: false)
        }
    }
}
