import Testing

@testable import ParleyCore

@Suite struct NegotiationTests {
    @Test(
        arguments: [
            (nil, MediaType.json),
            ("", .json),
            ("*/*", .json),
            ("application/json", .json),
            ("Application/JSON; charset=utf-8", .json),
            ("text/html, application/xhtml+xml, */*;q=0.8", .json),
            ("application/vnd.pgrst.object+json", .object(stripped: false)),
            ("application/vnd.pgrst.object", .object(stripped: false)),
            ("application/vnd.pgrst.object+json; nulls=stripped", .object(stripped: true)),
            ("application/vnd.pgrst.array+json;nulls=stripped", .strippedArray),
            ("application/json;q=0.5, application/vnd.pgrst.object+json", .object(stripped: false)),
            ("application/json, application/vnd.pgrst.object+json", .json),
        ] as [(String?, MediaType)])
    func choosesByAccept(accept: String?, expected: MediaType) throws {
        #expect(try MediaType.negotiate(accept) == expected)
    }

    @Test(arguments: [
        ("text/csv", "text/csv"), ("application/geo+json, text/html;q=0.5", "application/geo+json, text/html"),
        ("application/json;q=0", "application/json"),
        ("application/vnd.pgrst.plan+json", "application/vnd.pgrst.plan+json"),
    ])
    func refusesOtherTypes(accept: String, named: String) {
        #expect(
            throws: APIError(
                status: 406, code: APIError.Code("PGRST107"),
                message: "None of these media types are available: \(named)")
        ) { try MediaType.negotiate(accept) }
    }

    @Test(
        arguments: [
            (nil, RequestPreferences(), nil),
            ("count=exact", RequestPreferences(count: true), "count=exact"),
            ("return=minimal, count=planned", RequestPreferences(count: true), "count=exact"),
            (
                "handling=strict,count=exact", RequestPreferences(count: true, strict: true),
                "handling=strict, count=exact"
            ),
            ("whatever, x=y", RequestPreferences(), nil),
        ] as [(String?, RequestPreferences, String?)])
    func readsPrefer(header: String?, expected: RequestPreferences, applied: String?) throws {
        let preferences = try RequestPreferences(header)
        #expect(preferences == expected)
        #expect(preferences.applied == applied)
    }

    @Test func refusesUnknownPreferencesWhenStrict() {
        #expect(throws: APIError.preferences(["max-affected=1", "tx=rollback"])) {
            try RequestPreferences("handling=strict, max-affected=1, tx=rollback")
        }
    }
}
