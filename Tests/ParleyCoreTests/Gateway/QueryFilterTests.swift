import Testing

@testable import ParleyCore

@Suite struct QueryFilterTests {
    @Test(arguments: [
        ("id", "eq.1", QueryFilter(column: "id", test: .compare(.eq, "1"))),
        ("id", "neq.", QueryFilter(column: "id", test: .compare(.neq, ""))),
        ("id", "gt.a.b.c", QueryFilter(column: "id", test: .compare(.gt, "a.b.c"))),
        ("id", "gte.5", QueryFilter(column: "id", test: .compare(.gte, "5"))),
        ("id", "lt.(x)", QueryFilter(column: "id", test: .compare(.lt, "(x)"))),
        ("id", "lte.\"q\"", QueryFilter(column: "id", test: .compare(.lte, "\"q\""))),
        ("id", "not.eq.1", QueryFilter(column: "id", negated: true, test: .compare(.eq, "1"))),
        ("id", "eq.not.eq.1", QueryFilter(column: "id", test: .compare(.eq, "not.eq.1"))),
        ("at", "is.null", QueryFilter(column: "at", test: .is(.null))),
        ("at", "is.NOT_NULL", QueryFilter(column: "at", test: .is(.notNull))),
        ("at", "not.is.true", QueryFilter(column: "at", negated: true, test: .is(.true))),
        ("at", "is.unknown", QueryFilter(column: "at", test: .is(.unknown))),
        ("id", "in.(1,2)", QueryFilter(column: "id", test: .oneOf(["1", "2"]))),
        ("id", "in.()", QueryFilter(column: "id", test: .oneOf([]))),
        ("id", "in.(\"\")", QueryFilter(column: "id", test: .oneOf([]))),
        ("id", "in.(\"a,b\",c d,\"q\\\"\\\\)\")", QueryFilter(column: "id", test: .oneOf(["a,b", "c d", "q\"\\)"]))),
        ("id", "in.(a\"b,\"c\"d)", QueryFilter(column: "id", test: .oneOf(["a\"b", "\"c\"d"]))),
        ("id", "not.in.(x)", QueryFilter(column: "id", negated: true, test: .oneOf(["x"]))),
        ("\"odd.name\"", "eq.1", QueryFilter(column: "odd.name", test: .compare(.eq, "1"))),
        ("odd name", "eq.1", QueryFilter(column: "odd name", test: .compare(.eq, "1"))),
        ("with-dash", "eq.é", QueryFilter(column: "with-dash", test: .compare(.eq, "é"))),
    ])
    func reads(name: String, value: String, expected: QueryFilter) throws {
        #expect(try QueryFilter(name: name, value: value) == expected)
    }

    @Test(arguments: [
        ("id", ""), ("id", "1"), ("id", "noop.1"), ("id", "eq"), ("id", "eqq.1"), ("id", "not.1"), ("id", "EQ.1"),
        ("id", "is.nul"), ("id", "is.nullx"), ("id", "is."), ("id", "in.1,2"), ("id", "in.(1,2"), ("id", "in.(1)x"),
        ("id", "in.("), ("", "eq.1"), (" ", "eq.1"), ("id)", "eq.1"), ("\"id", "eq.1"), ("id;", "eq.1"),
    ])
    func refusesWhatCannotBeRead(name: String, value: String) {
        #expect(throws: APIError.self) { try QueryFilter(name: name, value: value) }
        do {
            _ = try QueryFilter(name: name, value: value)
        } catch {
            #expect(error.status == 400)
            #expect(error.code.rawValue == "PGRST100")
            #expect(error.message.hasPrefix("\"failed to parse "))
            #expect(error.details?.hasPrefix("unexpected ") == true)
        }
    }

    @Test(arguments: [
        ("id", "like.*a*"), ("id", "ilike.a"), ("id", "match.a"), ("id", "imatch.a"), ("id", "isdistinct.1"),
        ("id", "fts.a"), ("id", "fts(english).a"), ("id", "plfts.a"), ("id", "phfts.a"), ("id", "wfts.a"),
        ("id", "cs.{a}"), ("id", "cd.{a}"), ("id", "ov.{a}"), ("id", "sl.(1,2)"), ("id", "sr.(1,2)"),
        ("id", "nxr.(1,2)"), ("id", "nxl.(1,2)"), ("id", "adj.(1,2)"), ("id", "eq(any).{1,2}"),
        ("id", "not.like(all).{1,2}"), ("data->a", "eq.1"), ("data->>a", "eq.1"), ("other.id", "eq.1"),
    ])
    func refusesWhatPostgRESTCouldDoAndThisCannot(name: String, value: String) {
        do {
            _ = try QueryFilter(name: name, value: value)
            Issue.record("accepted \(name)=\(value)")
        } catch {
            #expect(error.status == 400)
            #expect(error.code.rawValue == "PGRST100")
            #expect(error.message.hasSuffix(" not supported"))
        }
    }

    @Test func wordsAParseErrorAsPostgRESTDoes() {
        #expect(
            throws: APIError(
                status: 400, code: APIError.Code("PGRST100"),
                message: "\"failed to parse filter (noop.0)\" (line 1, column 1)",
                details: "unexpected \"n\" expecting \"not\" or operator (eq, gt, ...)")
        ) { try QueryFilter(name: "b", value: "noop.0") }
    }

    @Test(arguments: [
        ("eq.1", true), ("not.in.(1)", true), ("fts(english).x", true), ("like.x", true), ("hello", false), ("", false),
        ("1.5", false), ("eq", false), ("equals.x", false), ("{eq.1}", false), ("is it?", false),
    ])
    func tellsFiltersFromArguments(value: String, expected: Bool) {
        #expect(QueryFilter.looksLikeFilter(value) == expected)
    }
}
