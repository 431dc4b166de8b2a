import Testing

@testable import ParleyCore

@Suite struct OpenAPIDescriptionTests {
    private let cache = SchemaCache(
        schema: "api", comment: "Chat\n\nFor everybody.",
        relations: [
            APIRelation(
                "inbox", columns: [APIColumn("id", "uuid", comment: "Its name."), APIColumn("tags", "text[]")],
                comment: "All of it.")
        ],
        functions: [
            APIFunction(
                "find",
                [
                    .init("query", "text"), .init("page_size", "integer", hasDefault: true, defaultText: "50"),
                    .init("until", "jsonb", hasDefault: true, defaultText: "NULL::jsonb"),
                ], result: .rows([APIColumn("n", "bigint")]), isReadOnly: true, comment: "Finds.\nSlowly."),
            APIFunction("forget", result: .void),
            APIFunction("forget", [.init("id", "uuid")], result: .void),
            APIFunction("whole", [.init("", "json")], result: .value(isJSON: true)),
        ])

    private var document: JSONValue {
        .object(OpenAPIDescription(self.cache, basePath: "/rest/v1", version: "1.2.3").document)
    }

    @Test func saysWhatItIsOf() {
        let document = self.document
        #expect(document["swagger"] == "2.0")
        #expect(document["basePath"] == "/rest/v1")
        #expect(document["info"] == ["title": "Chat", "description": "For everybody.", "version": "1.2.3"])
        #expect(
            document["paths"]?.object?.members.map(\.key)
                == ["/", "/inbox", "/rpc/find", "/rpc/forget", "/rpc/whole"])
    }

    @Test func aViewIsAnArrayOfItsRows() {
        let document = self.document
        let read = document["paths"]?["/inbox"]?["get"]
        #expect(read?["summary"] == "All of it.")
        #expect(read?["parameters"]?.array?.first == ["$ref": "#/parameters/rowFilter.inbox.id"])
        #expect(
            read?["responses"]?["200"]?["schema"] == ["type": "array", "items": ["$ref": "#/definitions/inbox"]])
        #expect(
            document["definitions"]?["inbox"]?["properties"] == [
                "id": ["type": "string", "format": "uuid", "description": "Its name."],
                "tags": ["type": "array", "format": "text[]", "items": ["type": "string", "format": "text"]],
            ])
        #expect(document["parameters"]?["rowFilter.inbox.id"]?["format"] == "uuid")
    }

    @Test func aFunctionTakesItsArguments() {
        let find = self.document["paths"]?["/rpc/find"]
        #expect(find?["get"]?["parameters"]?.array?.map { $0["name"] } == ["query", "page_size", "until"])
        #expect(find?["get"]?["parameters"]?.array?.map { $0["required"] } == [true, false, false])
        let post = find?["post"]
        #expect(post?["summary"] == "Finds." && post?["description"] == "Slowly.")
        let schema = post?["parameters"]?.array?.first?["schema"]
        #expect(schema?["required"] == ["query"])
        #expect(
            schema?["properties"] == [
                "query": ["type": "string", "format": "text"],
                "page_size": ["type": "integer", "format": "integer", "default": 50], "until": ["format": "jsonb"],
            ])
        #expect(post?["responses"]?["200"]?["schema"]?["items"]?["properties"]?["n"]?["type"] == "integer")
    }

    @Test func oneThatWritesIsPostedOnly() {
        let forget = self.document["paths"]?["/rpc/forget"]
        #expect(forget?["get"] == nil)
        #expect(forget?["post"]?["responses"]?.object?.members.map(\.key) == ["204"])
        #expect(
            forget?["post"]?["parameters"]?.array?.first?["schema"]?["properties"]
                == ["id": ["type": "string", "format": "uuid"]])
        let whole = self.document["paths"]?["/rpc/whole"]?["post"]
        #expect(whole?["parameters"]?.array?.first?["schema"] == ["format": "json"])
    }

    @Test(
        arguments: [
            ("'direct'::text", "text", "direct"), ("'it''s'::text", "text", "it's"), ("50", "integer", 50),
            ("0.5", "numeric", .number(JSONNumber("0.5")!)), ("true", "boolean", true), ("NULL::uuid", "uuid", nil),
            ("'{}'::text[]", "text[]", []), ("'{1}'::integer[]", "integer[]", nil), ("now()", "text", nil),
            ("'{\"a\": 1}'::jsonb", "jsonb", ["a": 1]), ("'a'::text || 'b'::text", "text", nil),
            ("'3'::bigint", "bigint", 3),
        ] as [(String, String, JSONValue?)])
    func defaultsThatArePlain(expression: String, type: String, expected: JSONValue?) {
        #expect(OpenAPIDescription.value(expression, type: type) == expected)
    }

    @Test(
        arguments: [
            (nil, true), ("*/*", true), ("application/json", true), ("text/html, application/openapi+json;q=0.5", true),
            ("text/html", false),
        ] as [(String?, Bool)])
    func isNegotiated(accept: String?, isTaken: Bool) throws {
        let request = GatewayRequest(
            method: "GET", segments: [""], headers: accept.map { ["accept": $0] } ?? [:])
        let planner = GatewayPlanner(cache: self.cache)
        if isTaken {
            let response = try planner.description(request, Array("{}".utf8))
            #expect(response.headers == [HeaderField("Content-Type", "application/openapi+json; charset=utf-8")])
            #expect(response.body == Array("{}".utf8))
        } else {
            let refusal = #expect(throws: APIError.self) { try planner.description(request, []) }
            #expect(refusal?.code.rawValue == "PGRST107")
        }
    }

    @Test func isReadOnly() {
        let refusal = #expect(throws: APIError.self) {
            try GatewayPlanner(cache: self.cache).description(GatewayRequest(method: "POST", segments: [""]), [])
        }
        #expect(refusal?.status == 405)
    }
}
