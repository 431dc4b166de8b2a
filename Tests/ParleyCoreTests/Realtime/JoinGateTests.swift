import Testing

@testable import ParleyCore

@Suite struct JoinGateTests {
    private func event(_ id: Int64, bytes: Int = 0) -> LogEvent {
        LogEvent(
            id: id, transactionID: 1, conversationID: nil, eventSeq: nil, userID: nil, kind: "message:new",
            actorID: nil,
            messageID: nil, messageSeq: nil, historyFromSeq: nil, payload: [UInt8](repeating: 32, count: bytes))
    }

    private func ids(_ missed: JoinGate.Missed) -> [Int64]? {
        guard case .events(let events) = missed else { return nil }
        return events.map(\.id)
    }

    @Test func nothingIsKeptWhileNobodyJoins() {
        var gate = JoinGate()
        for id in 1...10 { gate.record(self.event(Int64(id))) }
        #expect(gate.recorded == 0)
        let ticket = gate.openTicket()
        gate.record(self.event(11))
        #expect(self.ids(gate.close(ticket)) == [11])
        #expect(gate.recorded == 0 && gate.pending == 0)
    }

    @Test func everyTicketSeesWhatCameAfterIt() {
        var gate = JoinGate()
        let first = gate.openTicket()
        let twin = gate.openTicket()
        gate.record(self.event(1))
        let second = gate.openTicket()
        gate.record(self.event(2))
        #expect(gate.pending == 3)
        #expect(self.ids(gate.close(second)) == [2])
        #expect(self.ids(gate.close(first)) == [1, 2])
        gate.record(self.event(3))
        #expect(self.ids(gate.close(twin)) == [1, 2, 3])
        #expect(gate.recorded == 0)
    }

    @Test func whatNoTicketNeedsIsDropped() {
        var gate = JoinGate()
        let first = gate.openTicket()
        for id in 1...1000 { gate.record(self.event(Int64(id))) }
        let second = gate.openTicket()
        for id in 1001...1003 { gate.record(self.event(Int64(id))) }
        _ = gate.close(first)
        #expect(gate.recorded == 3)
        #expect(self.ids(gate.close(second)) == [1001, 1002, 1003])
    }

    @Test func tooManyEventsRefuseTheOldestTickets() {
        var gate = JoinGate(maxEvents: 3)
        let old = gate.openTicket()
        gate.record(self.event(1))
        let young = gate.openTicket()
        for id in 2...4 { gate.record(self.event(Int64(id))) }
        #expect(gate.recorded == 3)
        #expect(gate.close(old) == .overflowed)
        #expect(self.ids(gate.close(young)) == [2, 3, 4])
    }

    @Test func tooManyBytesRefuseTheOldestTickets() {
        var gate = JoinGate(maxBytes: 100)
        let ticket = gate.openTicket()
        gate.record(self.event(1, bytes: 60))
        gate.record(self.event(2, bytes: 60))
        #expect(gate.recorded == 1)
        #expect(gate.close(ticket) == .overflowed)
    }

    @Test func anyOrderOfOpeningAndClosing() {
        // Against a model that keeps everything.
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var gate = JoinGate()
            var all: [Int64] = []
            var open: [(ticket: JoinGate.Ticket, start: Int)] = []
            for step in 0..<300 {
                switch Int.random(in: 0..<4, using: &random) {
                case 0: open.append((gate.openTicket(), all.count))
                case 1 where !open.isEmpty:
                    let (ticket, start) = open.remove(at: Int.random(in: 0..<open.count, using: &random))
                    if self.ids(gate.close(ticket)) != Array(all[start...]) { Issue.record("wrong events") }
                default:
                    gate.record(self.event(Int64(step)))
                    all.append(Int64(step))
                }
                if open.isEmpty, gate.recorded != 0 { Issue.record("kept without need") }
            }
        }
    }
}
