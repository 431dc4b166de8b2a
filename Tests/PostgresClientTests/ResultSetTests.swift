import FoundationEssentials
import PostgresClient
import PostgresTestKit
import Testing

@Suite struct ResultSetTests {
    private func row(_ values: String?...) -> Row {
        ResultSet(columns: values.indices.map { "c\($0)" }, rows: [values]).rows[0]
    }

    @Test func nullsAndEmptyValuesAreToldApart() {
        let row = self.row(nil, "", "x", nil)
        #expect(row[0] == nil && row[1] == [] && row[2] == [120] && row[3] == nil)
        #expect(row.string("c1") == "" && row.isNull(3) && row.count == 4)
    }

    @Test(
        arguments: [
            ("0", 0), ("-1", -1), ("9223372036854775807", .max), ("-9223372036854775808", .min),
            ("9223372036854775808", nil), ("-9223372036854775809", nil), ("", nil), ("-", nil), ("1x", nil),
            ("+1", nil),
            (" 1", nil), ("99999999999999999999999", nil),
        ] as [(String, Int64?)])
    func integers(text: String, value: Int64?) { #expect(self.row(text).int64(0) == value) }

    @Test(
        arguments: [
            ("18446744073709551615", .max), ("18446744073709551616", nil), ("-1", nil), ("7", 7),
        ] as [(String, UInt64?)])
    func transactionIDs(text: String, value: UInt64?) { #expect(self.row(text).uint64(0) == value) }

    @Test(arguments: [
        "00000000-0000-0000-0000-000000000000", "0192f3a1-7c4e-7b3a-9d2f-aBcDeF012345", "", "x",
        "0192f3a1-7c4e-7b3a-9d2f-abcdef01234", "0192f3a1+7c4e-7b3a-9d2f-abcdef012345",
        "g192f3a1-7c4e-7b3a-9d2f-abcdef012345",
    ])
    func uuids(text: String) { #expect(self.row(text).uuid(0) == UUID(uuidString: text)) }

    @Test(arguments: [("t", true), ("f", false), ("true", nil), ("", nil)] as [(String, Bool?)])
    func booleans(text: String, value: Bool?) { #expect(self.row(text).bool(0) == value) }

    @Test func aRowMayHaveNoColumns() async throws {
        let configuration = try TestDatabase.owner()
        let count = try await blocking {
            try PostgresConnection(configuration).query("select from generate_series(1, 3)").rows.count
        }
        #expect(count == 3)
    }
}
