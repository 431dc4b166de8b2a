import Testing

@testable import ParleyCore

@Suite struct QueryShapeTests {
    @Test(arguments: [
        ("*", [SelectItem.all]),
        ("", []),
        ("a,b", [.column("a", alias: nil), .column("b", alias: nil)]),
        (" a , other : b ,*", [.column("a", alias: nil), .column("b", alias: "other"), .all]),
        ("\"odd, name\":\"a:b\"", [.column("a:b", alias: "odd, name")]),
    ])
    func readsSelect(text: String, expected: [SelectItem]) throws {
        #expect(try SelectItem.parse(text) == expected)
    }

    @Test(arguments: [
        "a,", ",a", "a b\"", "a;drop", "(a)", "a,(b)", "a:", "*a", "\"a",
        "a(b)", "a!inner(b)", "...a(b)", "x:a(b)", "a->b", "a->>b", "a::text", "a.sum()", "count()", "a.b",
    ])
    func refusesSelect(text: String) {
        do {
            _ = try SelectItem.parse(text)
            Issue.record("accepted \(text)")
        } catch {
            #expect(error.code.rawValue == "PGRST100")
            #expect(error.status == 400)
        }
    }

    @Test(arguments: [
        ("a", [OrderTerm("a")]),
        ("a.asc", [OrderTerm("a")]),
        ("a.desc.nullslast,b", [OrderTerm("a", descending: true, nullsFirst: false), OrderTerm("b")]),
        ("a.nullsfirst , \"b.c\".desc", [OrderTerm("a", nullsFirst: true), OrderTerm("b.c", descending: true)]),
    ])
    func readsOrder(text: String, expected: [OrderTerm]) throws {
        #expect(try OrderTerm.parse(text) == expected)
    }

    @Test(arguments: [
        "", "a.", "a.ac", "a.descc", "a.desc.nulls", "a.nullsfirst.desc", "a,", ",a", "a->b.desc", "other(a)",
        "a desc;",
    ])
    func refusesOrder(text: String) {
        do {
            _ = try OrderTerm.parse(text)
            Issue.record("accepted \(text)")
        } catch {
            #expect(error.code.rawValue == "PGRST100")
            #expect(error.status == 400)
        }
    }
}
