import Testing

@testable import ParleyCore

@Suite struct SchemaCacheTests {
    @Test func readsRelations() {
        let cache = SchemaCache(
            schema: "door",
            relationRows: [
                ["a", "id", "integer", "All.", nil], ["a", "name", "text", "All.", "A name."],
                ["b", "id", "uuid", nil, nil],
            ], functionRows: [])
        #expect(
            cache.relations == [
                "a": APIRelation(
                    "a", columns: [APIColumn("id", "integer"), APIColumn("name", "text", comment: "A name.")],
                    comment: "All."),
                "b": APIRelation("b", columns: [APIColumn("id", "uuid")]),
            ])
    }

    @Test func readsFunctions() {
        let cache = SchemaCache(
            schema: "door", relationRows: [],
            functionRows: [
                ["1", "echo", "s", "false", "json", "i", "a", "integer", "false", nil, nil],
                ["1", "echo", "s", "false", "json", "i", "b", "text", "true", "NULL::text", nil],
                ["2", "echo", "v", "false", "void", nil, nil, nil, nil, nil, "Echoes."],
                ["3", "rows", "i", "true", "row", "i", "n", "integer", "false", nil, nil],
                ["3", "rows", "i", "true", "row", "t", "x", "bigint", "false", nil, nil],
                ["4", "letters", "v", "true", "value", "v", "w", "text[]", "false", nil, nil],
                ["5", "both", "s", "false", "row", "b", "io", "text", "false", nil, nil],
            ])
        #expect(
            cache.functions == [
                "echo": [
                    APIFunction(
                        "echo",
                        [.init("a", "integer"), .init("b", "text", hasDefault: true, defaultText: "NULL::text")],
                        result: .value(isJSON: true), isReadOnly: true),
                    APIFunction("echo", result: .void, comment: "Echoes."),
                ],
                "rows": [
                    APIFunction(
                        "rows", [.init("n", "integer")], result: .rows([APIColumn("x", "bigint")]), isReadOnly: true)
                ],
                "letters": [
                    APIFunction("letters", [.init("w", "text[]", isVariadic: true)], result: .values)
                ],
                "both": [
                    APIFunction(
                        "both", [.init("io", "text")], result: .row([APIColumn("io", "text")]), isReadOnly: true)
                ],
            ])
        #expect(!cache.isEmpty)
        #expect(SchemaCache(schema: "door").isEmpty)
    }

    @Test(
        arguments: [
            ("send_mesage", "send_message"), ("sendmessage", "send_message"), ("x", nil), ("", nil),
            (String(repeating: "a", count: 100_000), nil),
        ] as [(String, String?)])
    func suggestsTheClosestName(name: String, expected: String?) {
        #expect(Similarity.closest(to: name, among: ["send_message", "mark_as_read"]) == expected)
    }
}
