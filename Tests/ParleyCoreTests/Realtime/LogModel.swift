import FoundationEssentials

@testable import ParleyCore

/// A log as Postgres would keep it: ids in order of writing, visibility in order of commit.
struct LogModel {
    private struct Row {
        var event: LogEvent
        var committed: Bool
    }

    private var rows: [Row] = []
    private var nextTransaction: UInt64 = 100
    private var inProgress: Set<UInt64> = []

    /// Writes an event in a transaction of its own and leaves that open.
    mutating func write(
        _ kind: String, conversation: UUID?, user: UUID? = nil, messageSeq: Int64? = nil, historyFrom: Int64? = nil
    ) -> UInt64 {
        let transaction = self.nextTransaction
        self.nextTransaction += 1
        self.inProgress.insert(transaction)
        self.rows.append(
            Row(
                event: LogEvent(
                    id: Int64(self.rows.count + 1), transactionID: transaction, conversationID: conversation,
                    eventSeq: nil, userID: user, kind: kind, actorID: nil, messageID: nil, messageSeq: messageSeq,
                    historyFromSeq: historyFrom, payload: []), committed: false))
        return transaction
    }

    mutating func commit(_ transaction: UInt64) {
        self.inProgress.remove(transaction)
        for index in self.rows.indices where self.rows[index].event.transactionID == transaction {
            self.rows[index].committed = true
        }
    }

    var committed: [LogEvent] { self.rows.filter(\.committed).map(\.event) }

    /// The position of a statement that runs now.
    var position: LogCursor {
        LogCursor(
            snapshot: PgSnapshot(
                xmin: self.inProgress.min() ?? self.nextTransaction, xmax: self.nextTransaction,
                xip: self.inProgress.sorted()),
            maxID: self.committed.map(\.id).max() ?? 0)
    }

    /// What a tail at `cursor` reads now.
    func read(after cursor: LogCursor) -> [LogEvent] {
        self.committed.filter { !cursor.contains(id: $0.id, transactionID: $0.transactionID) }
    }
}

/// Every way to merge sequences of the given lengths, as the order in which they take their steps.
func interleavings(_ lengths: [Int]) -> [[Int]] {
    var orders: [[Int]] = [[]]
    for _ in 0..<lengths.reduce(0, +) {
        orders = orders.flatMap { order in
            lengths.indices.compactMap { step in
                order.count { $0 == step } < lengths[step] ? order + [step] : nil
            }
        }
    }
    return orders
}
