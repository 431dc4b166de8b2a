import Testing

@testable import ParleyCore

@Suite struct LogCursorTests {
    @Test(arguments: ["10:10:", "10:20:10,12,19", "1:18446744073709551615:"]) func textRoundTrip(text: String) throws {
        #expect(try #require(PgSnapshot(text)).description == text)
    }

    @Test(
        arguments: [
            "", "10", "10:9:", "10:20", "10:20:9", "10:20:20", "10:20:12,11", "10:20:12,,13", "a:b:", "10:20::",
            "-1:2:",
        ])
    func malformedText(text: String) { #expect(PgSnapshot(text) == nil) }

    @Test(
        arguments: [(9, true), (10, false), (11, true), (15, false), (19, true), (20, false), (21, false)]
            as [(UInt64, Bool)])
    func visibility(transaction: UInt64, visible: Bool) throws {
        #expect(try #require(PgSnapshot("10:20:10,15")).contains(transaction) == visible)
    }

    @Test func aReusedTransactionIDIsNotTakenForSeen() throws {
        let cursor = LogCursor(snapshot: try #require(PgSnapshot("20:20:")), maxID: 5)
        #expect(cursor.contains(id: 5, transactionID: 12))
        #expect(!cursor.contains(id: 6, transactionID: 12))
    }

    @Test(
        arguments: [
            ("20:20:", 5, "20:20:", 5, true),
            ("10:20:10", 5, "10:20:10", 5, true),
            // 10 was in progress for the later one only.
            ("10:25:10", 9, "20:20:", 5, false),
            ("22:25:22", 9, "20:20:", 5, true),
            // Not all ids were read.
            ("30:30:", 4, "20:20:", 5, false),
            ("19:19:", 9, "20:20:", 5, false),
        ] as [(String, Int64, String, Int64, Bool)])
    func covering(later: String, laterID: Int64, earlier: String, earlierID: Int64, covers: Bool) throws {
        let one = LogCursor(snapshot: try #require(PgSnapshot(later)), maxID: laterID)
        let other = LogCursor(snapshot: try #require(PgSnapshot(earlier)), maxID: earlierID)
        #expect(one.covers(other) == covers)
    }
}
