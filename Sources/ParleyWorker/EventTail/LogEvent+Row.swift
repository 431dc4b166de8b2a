internal import FoundationEssentials
internal import ParleyCore
internal import PostgresClient

extension LogEvent {
    /// The columns of `parley.rendered_event` in their order; one more says when it was written.
    private enum Column: Int {
        case id, transactionID, conversationID, eventSeq, userID, kind, actorID, messageID, messageSeq, historyFromSeq
        case payload, revoked
    }

    /// How many columns an event has here, without the moment it was written at.
    static let columnCount = Column.revoked.rawValue + 1

    /// Reads a row of the log.
    ///
    /// - Parameter first: the column of the id.
    /// - Throws: for a row of another shape; nothing is left out silently.
    init(_ row: Row, from first: Int) throws(PostgresError) {
        func place(_ column: Column) -> Int { first + column.rawValue }
        func optional<Value>(
            _ column: Column, _ read: (Int) -> Value?
        ) throws(PostgresError) -> Value? {
            guard !row.isNull(place(column)) else { return nil }
            return try Self.expect(read(place(column)))
        }
        let id = try Self.expect(row.int64(place(.id)))
        // What is no row of the log, a gap in a replay, has no transaction.
        let transactionID = try optional(.transactionID, row.uint64)
        self.init(
            id: id, transactionID: id == 0 ? transactionID ?? 0 : try Self.expect(transactionID),
            conversationID: try optional(.conversationID, row.uuid), eventSeq: try optional(.eventSeq, row.int64),
            userID: try optional(.userID, row.uuid), kind: try Self.expect(row.string(place(.kind))),
            actorID: try optional(.actorID, row.uuid), messageID: try optional(.messageID, row.uuid),
            messageSeq: try optional(.messageSeq, row.int64),
            historyFromSeq: try optional(.historyFromSeq, row.int64),
            revoked: try Self.users(row.string(place(.revoked))),
            payload: try Self.expect(row[place(.payload)]))
    }

    private static func expect<Value>(_ value: Value?) throws(PostgresError) -> Value {
        guard let value else { throw .unexpectedShape }
        return value
    }

    /// A `uuid[]` as Postgres writes it; null is nobody.
    private static func users(_ text: String?) throws(PostgresError) -> [UUID] {
        guard let text else { return [] }
        let names = text.dropFirst().dropLast().split(separator: ",")
        let users = names.compactMap { UUID(uuidString: String($0)) }
        guard users.count == names.count else { throw .unexpectedShape }
        return users
    }
}

extension PostgresError {
    /// An answer that is not as the contract says.
    static let unexpectedShape = PostgresError(
        .protocolViolation, message: "the database's answer does not have the expected shape")
}
