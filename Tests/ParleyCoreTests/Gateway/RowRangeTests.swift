import Testing

@testable import ParleyCore

@Suite struct RowRangeTests {
    @Test(
        arguments: [
            (nil, nil, nil, RowRange()),
            ("5", nil, nil, RowRange(limit: 5)),
            ("0", nil, nil, RowRange(limit: 0)),
            ("5", "10", nil, RowRange(offset: 10, limit: 5)),
            (nil, "10", nil, RowRange(offset: 10)),
            (nil, nil, "0-14", RowRange(limit: 15)),
            (nil, nil, "10-", RowRange(offset: 10)),
            (nil, nil, "items=5-9", RowRange(offset: 5, limit: 5)),
            ("3", nil, "0-14", RowRange(limit: 3)),
            ("100", "5", "10-19", RowRange(offset: 10, limit: 10)),
            (nil, nil, "bytes=0-5", RowRange()),
            (nil, nil, "rubbish", RowRange()),
            ("1000000000", nil, nil, RowRange(limit: 1_000_000_000)),
            ("99999999999999999999999", "99999999999999999999999", nil, RowRange(offset: .max, limit: .max)),
            (nil, nil, "0-99999999999999999999999", RowRange(limit: .max)),
        ] as [(String?, String?, String?, RowRange)])
    func reads(limit: String?, offset: String?, header: String?, expected: RowRange) throws {
        #expect(try RowRange(limit: limit, offset: offset, header: header) == expected)
    }

    @Test(
        arguments: [
            ("-1", nil, nil, 416), (nil, "-1", nil, 416), (nil, nil, "5-2", 416), ("5", nil, "10-20", 416),
            ("x", nil, nil, 400), ("", nil, nil, 400), ("1.5", nil, nil, 400), (nil, "x", nil, 400),
            ("+1", nil, nil, 400),
            ("-", nil, nil, 400), ("-99999999999999999999999", nil, nil, 416),
        ] as [(String?, String?, String?, Int)])
    func refuses(limit: String?, offset: String?, header: String?, status: Int) {
        do {
            _ = try RowRange(limit: limit, offset: offset, header: header)
            Issue.record("accepted")
        } catch {
            #expect(error.status == status)
            #expect(error.code.rawValue == (status == 416 ? "PGRST103" : "PGRST100"))
        }
    }

    @Test(
        arguments: [
            (RowRange(), 15, nil, 200, "0-14/*"),
            (RowRange(), 0, nil, 200, "*/*"),
            (RowRange(), 0, 0, 200, "*/0"),
            (RowRange(), 3, 3, 200, "0-2/3"),
            (RowRange(offset: 2), 1, 3, 206, "2-2/3"),
            (RowRange(limit: 2), 2, 3, 206, "0-1/3"),
            (RowRange(offset: 3), 0, 3, 206, "*/3"),
        ] as [(RowRange, Int, Int?, Int, String)])
    func answers(range: RowRange, rows: Int, total: Int?, status: Int, header: String) throws {
        let answer = try range.answer(rows: rows, total: total)
        #expect(answer.status == status)
        #expect(answer.contentRange == header)
    }

    @Test func refusesAnOffsetBeyondTheEnd() {
        #expect(
            throws: APIError(
                status: 416, code: APIError.Code("PGRST103"), message: "Requested range not satisfiable",
                details: "An offset of 9 was requested, but there are only 3 rows.",
                headers: [HeaderField("Content-Range", "*/3")])
        ) { try RowRange(offset: 9).answer(rows: 0, total: 3) }
    }

    @Test func capsTheNumberOfRows() {
        #expect(RowRange(offset: 4, limit: 1_000_000_000).capped(at: 1000) == RowRange(offset: 4, limit: 1000))
        #expect(RowRange().capped(at: 1000) == RowRange(limit: 1000))
        #expect(RowRange(limit: 5).capped(at: 1000) == RowRange(limit: 5))
    }
}
