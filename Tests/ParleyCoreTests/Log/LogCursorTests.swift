import ParleyCore
import Testing

@Suite struct LogCursorTests {
    @Test(arguments: ["1:1:", "10:20:10,12,19", "18446744073709551615:18446744073709551615:"])
    func snapshotsReadAsTheyAreWritten(text: String) {
        #expect(PgSnapshot(text)?.description == text)
    }

    @Test(arguments: [
        "", ":", "1:2", "1:2:3:4", "2:1:", "1:2:2", "5:9:4", "5:9:7,6", "5:9:6,6", "a:b:c", "1:2:,", "-1:2:", "1:2: 1",
    ])
    func whatIsNoSnapshotIsRefused(text: String) { #expect(PgSnapshot(text) == nil) }

    /// As `pg_visible_in_snapshot` answers.
    @Test(
        arguments: [
            (9, true), (10, false), (11, true), (12, false), (18, true), (19, false), (20, false), (21, false),
        ] as [(UInt64, Bool)])
    func visibilityIsThatOfPostgres(transaction: UInt64, visible: Bool) throws {
        let snapshot = try #require(PgSnapshot("10:20:10,12,19"))
        #expect(snapshot.contains(transaction) == visible)
        let cursor = LogCursor(snapshot: snapshot, maxID: 100)
        #expect(cursor.contains(id: 100, transactionID: transaction) == visible)
        // A higher id is new whatever the snapshot says: after a crash its transaction id may be used again.
        #expect(!cursor.contains(id: 101, transactionID: transaction))
    }
}
