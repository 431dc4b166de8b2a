import FoundationEssentials
import Testing

@testable import ParleyCore

/// The join against writers, the removal of the joiner, and the tail, in every order of their steps.
@Suite struct JoinRaceTests {
    /// The database, the tail and one joining channel, each advanced one step at a time.
    private struct World {
        let user = UUID()
        let here = UUID()
        let there = UUID()
        let channel = ChannelID(slot: 0, serial: 1)
        var log = LogModel()
        var index = MembershipIndex()
        var gate = JoinGate()
        var cursor: LogCursor
        var batch: (events: [LogEvent], cursor: LogCursor)?
        var ticket: JoinGate.Ticket?
        var grant: JoinGrant?
        var denied = false
        var isClosed = false
        var delivered: [LogEvent] = []
        let topic: Topic

        init(inbox: Bool) {
            self.topic = inbox ? .user(self.user) : .conversation(self.here)
            self.cursor = self.log.position
        }

        /// Conversations of the user as a statement sees them now; it takes part in both until it is removed.
        var membership: [JoinGrant.Conversation] {
            let gone = self.log.committed.contains { $0.kind == "participant:left" }
            let back = self.log.committed.contains { $0.kind == "participant:joined" }
            var all = gone && !back ? [] : [JoinGrant.Conversation(id: self.here, historyFrom: back ? 50 : 0)]
            if case .user = self.topic { all.append(JoinGrant.Conversation(id: self.there, historyFrom: 0)) }
            return all
        }

        mutating func poll() {
            guard self.batch == nil else { return }
            self.batch = (self.log.read(after: self.cursor), self.log.position)
        }

        mutating func deliver() {
            guard let batch = self.batch else { return }
            self.batch = nil
            self.cursor = batch.cursor
            for event in batch.events {
                var out: [LogEvent] = []
                let effects = self.index.apply(event) { event, _ in out.append(event) }
                self.delivered += out
                if effects.closed.contains(self.channel) { self.isClosed = true }
                self.gate.record(event)
            }
            self.index.advance(to: batch.cursor)
        }

        mutating func ask() { self.ticket = self.gate.openTicket() }

        mutating func decide() {
            let membership = self.membership
            self.denied = membership.isEmpty
            self.grant = JoinGrant(position: self.log.position, conversations: membership)
        }

        mutating func answer() throws {
            let missed = self.gate.close(try #require(self.ticket))
            guard !self.denied, let grant = self.grant else { return }
            guard case .events(let events) = missed else {
                Issue.record("the gate overflowed")
                return
            }
            var out: [LogEvent] = []
            let effects = self.index.subscribe(
                self.channel, topic: self.topic, version: .v1, user: self.user, grant: grant, missed: events
            ) { event, _ in out.append(event) }
            self.delivered += out
            if effects.closed.contains(self.channel) { self.isClosed = true }
        }

        /// What must have arrived once everything has settled.
        var expected: [LogEvent] {
            guard !self.denied, let grant = self.grant else { return [] }
            var follows = Dictionary(uniqueKeysWithValues: grant.conversations.map { ($0.id, $0.historyFrom) })
            var wanted: [LogEvent] = []
            var ended = false
            for event in self.log.committed
            where !grant.position.contains(id: event.id, transactionID: event.transactionID) && !ended {
                guard let conversation = event.conversationID else { continue }
                if event.kind == "participant:joined", case .user = self.topic {
                    follows[conversation] = event.historyFromSeq ?? 0
                }
                guard let from = follows[conversation] else { continue }
                if event.messageSeq.map({ $0 >= from }) ?? true { wanted.append(event) }
                if event.kind == "participant:left" {
                    follows[conversation] = nil
                    if case .conversation = self.topic { ended = true }
                }
            }
            return wanted
        }

        mutating func settle() {
            self.deliver()
            self.poll()
            self.deliver()
        }
    }

    private func check(_ world: World, _ order: [Int]) {
        for conversation in [world.here, world.there] {
            let got = world.delivered.filter { $0.conversationID == conversation }.map(\.id)
            let wanted = world.expected.filter { $0.conversationID == conversation }.map(\.id)
            if got != wanted { Issue.record("order \(order): got \(got), wanted \(wanted)") }
        }
        if world.gate.recorded != 0 || world.gate.pending != 0 { Issue.record("the gate kept something: \(order)") }
        if world.index.settlingCount != 0 { Issue.record("a position was kept: \(order)") }
    }

    @Test(arguments: [false, true]) func removalWhileJoining(inbox: Bool) throws {
        // Writer: message, removal, message. Tail: two rounds. Join: ask, decide, answer.
        for order in interleavings([3, 4, 3]) {
            var world = World(inbox: inbox)
            var steps = [0, 0, 0]
            for actor in order {
                switch (actor, steps[actor]) {
                case (0, 0): world.log.commit(world.log.write("message:new", conversation: world.here, messageSeq: 7))
                case (0, 1):
                    world.log.commit(world.log.write("participant:left", conversation: world.here, user: world.user))
                case (0, _): world.log.commit(world.log.write("message:new", conversation: world.here, messageSeq: 8))
                case (1, let step): if step.isMultiple(of: 2) { world.poll() } else { world.deliver() }
                case (_, 0): world.ask()
                case (_, 1): world.decide()
                default: try world.answer()
                }
                steps[actor] += 1
            }
            world.settle()
            self.check(world, order)
            let kinds = world.delivered.filter { $0.conversationID == world.here }.map(\.kind)
            if let end = kinds.firstIndex(of: "participant:left"), end != kinds.count - 1 {
                Issue.record("something after the removal: \(order)")
            }
            if !inbox, kinds.contains("participant:left") != world.isClosed {
                Issue.record("closed without removal, or not closed after it: \(order)")
            }
        }
    }

    @Test func inboxWithCommitsOutOfOrder() throws {
        // Writers of two conversations that hold their transactions open, so ids become visible out of order.
        for order in interleavings([4, 2, 2, 3]) {
            var world = World(inbox: true)
            var steps = [0, 0, 0, 0]
            var open: UInt64 = 0
            var other: UInt64 = 0
            for actor in order {
                switch (actor, steps[actor]) {
                case (0, 0): open = world.log.write("message:new", conversation: world.here, messageSeq: 7)
                case (0, 2): open = world.log.write("participant:left", conversation: world.here, user: world.user)
                case (0, _): world.log.commit(open)
                case (1, 0): other = world.log.write("message:new", conversation: world.there, messageSeq: 3)
                case (1, _): world.log.commit(other)
                case (2, 0): world.poll()
                case (2, _): world.deliver()
                case (_, 0): world.ask()
                case (_, 1): world.decide()
                default: try world.answer()
                }
                steps[actor] += 1
            }
            world.settle()
            self.check(world, order)
        }
    }

    @Test func removedAndAddedAgainWhileJoining() throws {
        for order in interleavings([4, 2, 3]) {
            var world = World(inbox: true)
            var steps = [0, 0, 0]
            for actor in order {
                switch (actor, steps[actor]) {
                case (0, 0):
                    world.log.commit(world.log.write("participant:left", conversation: world.here, user: world.user))
                case (0, 1): world.log.commit(world.log.write("message:new", conversation: world.here, messageSeq: 49))
                case (0, 2):
                    world.log.commit(
                        world.log.write(
                            "participant:joined", conversation: world.here, user: world.user, historyFrom: 50))
                case (0, _): world.log.commit(world.log.write("message:new", conversation: world.here, messageSeq: 50))
                case (1, 0): world.poll()
                case (1, _): world.deliver()
                case (_, 0): world.ask()
                case (_, 1): world.decide()
                default: try world.answer()
                }
                steps[actor] += 1
            }
            world.settle()
            self.check(world, order)
            if world.delivered.contains(where: { $0.messageSeq == 49 }) {
                Issue.record("a message from between the removal and the return: \(order)")
            }
        }
    }
}
