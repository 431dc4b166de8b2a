public import Testing

@testable public import ParleyCore

private var things: APIRelation {
    APIRelation(
        "things",
        columns: [
            APIColumn("id", "integer"), APIColumn("name", "text"), APIColumn("at \"x\"", "timestamp with time zone"),
        ])
}

// Computed: the leak checker takes what a global holds for lost.
private var cache: SchemaCache {
    SchemaCache(
        schema: "door", relations: [things],
        functions: [
            APIFunction(
                "echo",
                [
                    .init("a", "integer"), .init("b", "text", hasDefault: true),
                    .init("ids", "uuid[]", hasDefault: true),
                ], result: .value(isJSON: true), isReadOnly: true),
            APIFunction("bump", result: .value(isJSON: false)),
            APIFunction("reset", result: .void),
            APIFunction("one", [.init("id", "integer")], result: .row([APIColumn("id", "integer")]), isReadOnly: true),
            APIFunction(
                "numbers", [.init("up_to", "integer")],
                result: .rows([APIColumn("n", "integer"), APIColumn("square", "bigint")]), isReadOnly: true),
            APIFunction("bump_rows", result: .rows([APIColumn("value", "integer")])),
            APIFunction("letters", result: .values, isReadOnly: true),
            APIFunction("twice", [.init("a", "integer")], result: .void),
            APIFunction("twice", [.init("a", "text")], result: .void),
            APIFunction("whole", [.init("", "jsonb")], result: .value(isJSON: true), isReadOnly: true),
            APIFunction(
                "many", [.init("words", "text[]", isVariadic: true)], result: .value(isJSON: false), isReadOnly: true),
        ])
}

private var planner: GatewayPlanner { GatewayPlanner(cache: cache, maxRows: 100) }

extension GatewayRequest: CustomTestStringConvertible {
    /// Short, whatever the body.
    public var testDescription: String {
        let query = self.query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
        return "\(self.method) \(self.segments) \(query) \(String(decoding: self.body.prefix(60), as: UTF8.self))"
    }
}

private func segments(_ path: String) -> [String] {
    path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
}

private func get(
    _ path: String, _ query: [(String, String)] = [], _ headers: [String: String] = [:], method: String = "GET"
) -> GatewayRequest {
    GatewayRequest(
        method: method, segments: segments(path), query: query.map { GatewayRequest.Parameter($0.0, $0.1) },
        headers: headers)
}

private func post(_ path: String, _ body: String, _ headers: [String: String] = [:]) -> GatewayRequest {
    GatewayRequest(method: "POST", segments: segments(path), headers: headers, body: Array(body.utf8))
}

private func refusal(_ request: GatewayRequest) -> APIError? {
    do {
        _ = try planner.plan(request)
        return nil
    } catch {
        return error
    }
}

@Suite struct GatewayReadTests {
    @Test func readsAView() throws {
        let plan = try planner.plan(get("/things"))
        #expect(
            plan.sql
                == #"with page as (select t.* from "door"."things" t limit $1::bigint) "#
                + "select coalesce(json_agg(s.*), '[]')::text, count(*), null::bigint from page s")
        #expect(plan.parameters == ["100"])
        #expect(plan.isReadOnly)
        #expect(plan.shape == .rows)
    }

    @Test func putsValuesIntoParametersAndQuotesNames() throws {
        let plan = try planner.plan(
            get(
                "/things",
                [
                    ("select", "id,\"x\\\"; drop\":name"), ("name", "eq.'; drop table x; --"),
                    ("name", "not.in.(1,\"2,\\\"\")"),
                    ("at \\\"x\\\"", "is.null"), ("order", "id.desc.nullslast,name"), ("limit", "5"), ("offset", "2"),
                ].map { $0.0.hasPrefix("at") ? ("\"at \\\"x\\\"\"", $0.1) : $0 }, ["prefer": "count=exact"]))
        let condition =
            #" from "door"."things" t where t."name" = $1::text and not (t."name" = any ($2::text[]))"#
            + #" and t."at ""x""" is null"#
        #expect(
            plan.sql
                == #"with page as (select t."id" as "id", t."name" as "x""; drop""# + condition
                + #" order by t."id" desc nulls last, t."name" limit $3::bigint offset $4::bigint) "#
                + "select coalesce(json_agg(s.*), '[]')::text, count(*), (select count(*)" + condition
                + ") from page s")
        #expect(plan.parameters == ["'; drop table x; --", #"{"1","2,\""}"#, "5", "2"])
    }

    @Test func wordsOneObjectAndStrippedNulls() throws {
        let plan = try planner.plan(
            get("/things", [], ["accept": "application/vnd.pgrst.object+json;nulls=stripped"]))
        #expect(plan.sql.contains("(json_agg(json_strip_nulls(row_to_json(s.*))) -> 0)::text"))
    }

    @Test(arguments: [
        (get("/thing"), 404, "PGRST205"), (get("/a/b/c"), 404, "PGRST125"),
        (get("/things/1"), 404, "PGRST125"), (get("/rpc"), 404, "PGRST125"), (get("/rpc/"), 404, "PGRST125"),
        (get("/rpc/echo/x"), 404, "PGRST125"),
        (get("/things", method: "POST"), 405, "PGRST117"), (get("/things", method: "PATCH"), 405, "PGRST117"),
        (get("/things", method: "DELETE"), 405, "PGRST117"), (get("/things", method: "PUT"), 405, "PGRST117"),
        (get("/things", [("nope", "eq.1")]), 400, "42703"), (get("/things", [("select", "nope")]), 400, "42703"),
        (get("/things", [("order", "nope")]), 400, "42703"),
        (get("/things", [("id", "1")]), 400, "PGRST100"),
        (get("/things", [("or", "(id.eq.1,id.eq.2)")]), 400, "PGRST100"),
        (get("/things", [("not.and", "(id.eq.1)")]), 400, "PGRST100"),
        (get("/things", [("columns", "id")]), 400, "PGRST100"),
        (get("/things", [("other.limit", "1")]), 400, "PGRST100"),
        (get("/things", [("limit", "1"), ("limit", "2")]), 400, "PGRST100"),
        (get("/things", [("name", "eq.a\0b")]), 400, "22021"), (get("/things", [("a\0", "eq.1")]), 400, "22021"),
        (get("/things\0"), 400, "22021"),
        (get("/things", [], ["accept": "text/csv"]), 406, "PGRST107"),
        (get("/things", [], ["accept-profile": "public"]), 406, "PGRST106"),
        (get("/things", [], ["range": "9-1"]), 416, "PGRST103"),
    ])
    func refuses(request: GatewayRequest, status: Int, code: String) throws {
        let error = try #require(refusal(request))
        #expect(error.status == status)
        #expect(error.code.rawValue == code)
    }

    @Test func wordsRefusalsAsPostgRESTDoes() {
        #expect(
            refusal(get("/thing"))
                == APIError(
                    status: 404, code: APIError.Code("PGRST205"),
                    message: "Could not find the table 'door.thing' in the schema cache",
                    hint: "Perhaps you meant the table 'door.things'"))
        #expect(
            refusal(get("/things", [], ["accept-profile": "public"]))
                == APIError(
                    status: 406, code: APIError.Code("PGRST106"), message: "Invalid schema: public",
                    hint: "Only the following schemas are exposed: door"))
    }

    @Test func looksAtTheProfileOfTheMethodOnly() throws {
        #expect(try planner.plan(get("/things", [], ["content-profile": "public"])).profile == nil)
        #expect(try planner.plan(get("/things", [], ["accept-profile": "door"])).profile == "door")
        #expect(refusal(post("/rpc/reset", "", ["content-profile": "public"]))?.code.rawValue == "PGRST106")
        #expect(refusal(post("/rpc/reset", "", ["accept-profile": "public"])) == nil)
    }
}

private let twoIDs = "{00000000-0000-4000-8000-0000000000d1,00000000-0000-4000-8000-0000000000d2}"

@Suite struct GatewayCallTests {
    @Test func callsWithNamedArguments() throws {
        let body = #"{"ids": ["00000000-0000-4000-8000-0000000000d1"], "a" :1}"#
        let plan = try planner.plan(post("/rpc/echo", body))
        #expect(
            plan.sql
                == #"select ("door"."echo"("a" => a."a", "ids" => a."ids"))::text"#
                + #" from json_to_record($1::json) a("a" integer, "ids" uuid[])"#)
        #expect(plan.parameters == [body])
        #expect(plan.isReadOnly)
        #expect(plan.shape == .value)
    }

    @Test func callsWithoutArguments() throws {
        for body in ["", "{}", " {} "] {
            let plan = try planner.plan(post("/rpc/bump", body))
            #expect(plan.sql == #"select (to_json("door"."bump"()))::text"#)
            #expect(plan.parameters.isEmpty)
            #expect(!plan.isReadOnly)
        }
        #expect(try planner.plan(post("/rpc/reset", "")).shape == .void)
    }

    @Test func callsByQuery() throws {
        let plan = try planner.plan(get("/rpc/echo", [("b", "eq.x"), ("a", "1"), ("ids", twoIDs)]))
        #expect(
            plan.sql
                == #"select ("door"."echo"("a" => $1::integer, "b" => $2::text, "ids" => $3::uuid[]))::text"#)
        #expect(plan.parameters == ["1", "eq.x", twoIDs])
    }

    @Test func callsAnUnnamedParameterWithTheWholeBody() throws {
        let plan = try planner.plan(post("/rpc/whole", #"{"x":1}"#))
        #expect(plan.sql == #"select ("door"."whole"($1::jsonb))::text"#)
        #expect(plan.parameters == [#"{"x":1}"#])
    }

    @Test func callsVariadicFunctions() throws {
        #expect(
            try planner.plan(get("/rpc/many", [("words", "{a}")])).sql.contains(#"(variadic "words" => $1::text[])"#))
    }

    @Test func shapesSets() throws {
        let plan = try planner.plan(
            get(
                "/rpc/numbers", [("up_to", "9"), ("n", "gt.3"), ("order", "n.desc"), ("limit", "2")],
                ["prefer": "count=exact"]))
        #expect(
            plan.sql
                == #"with result as materialized (select t.* from "door"."numbers"("up_to" => $1::integer) t), "#
                + #"page as (select t.* from result t where t."n" > $2::integer order by t."n" desc limit $3::bigint) "#
                + "select coalesce(json_agg(s.*), '[]')::text, count(*), "
                + #"(select count(*) from result t where t."n" > $2::integer) from page s"#)
        #expect(plan.parameters == ["9", "3", "2"])
        let letters = try planner.plan(post("/rpc/letters", "{}"))
        #expect(
            letters.sql
                == #"with result as materialized (select "door"."letters"() as value), "#
                + "page as (select t.* from result t limit $1::bigint) "
                + "select coalesce(json_agg(s.value), '[]')::text, count(*), null::bigint from page s")
        #expect(
            try planner.plan(post("/rpc/one", #"{"id":1}"#)).sql
                == #"select row_to_json(s.*)::text from (select t.* from json_to_record($1::json) a("id" integer)"#
                + #" cross join lateral "door"."one"("id" => a."id") t) s"#)
    }

    @Test(arguments: [
        (post("/rpc/nope", "{}"), 404, "PGRST202"), (post("/rpc/echo", "{}"), 404, "PGRST202"),
        (post("/rpc/echo", #"{"a":1,"z":2}"#), 404, "PGRST202"), (post("/rpc/twice", #"{"a":1}"#), 300, "PGRST203"),
        (post("/rpc/echo", "[]"), 400, "PGRST102"), (post("/rpc/echo", "1"), 400, "PGRST102"),
        (post("/rpc/echo", "null"), 400, "PGRST102"), (post("/rpc/echo", #""a""#), 400, "PGRST102"),
        (post("/rpc/echo", "{"), 400, "PGRST102"), (post("/rpc/echo", #"{"a":1}}"#), 400, "PGRST102"),
        (post("/rpc/echo", #"{"a":1,"a":2}"#), 400, "PGRST102"),
        (post("/rpc/echo", #"{"a":1,"\u0061":2}"#), 400, "PGRST102"),
        (post("/rpc/echo", #"{'a':1}"#), 400, "PGRST102"), (post("/rpc/echo", "{\"a\":\"\0\"}"), 400, "PGRST102"),
        (post("/rpc/echo", "{\"a\":" + String(repeating: "[", count: 100_000)), 400, "PGRST102"),
        (
            post(
                "/rpc/echo",
                "{\"a\":1,\"b\":" + String(repeating: "[", count: 70) + String(repeating: "]", count: 70) + "}"), 400,
            "PGRST102"
        ),
        (post("/rpc/echo", "a=1", ["content-type": "application/x-www-form-urlencoded"]), 400, "PGRST102"),
        (post("/rpc/echo", "a\n1", ["content-type": "text/csv"]), 400, "PGRST102"),
        (get("/rpc/bump"), 405, "PGRST101"), (get("/rpc/bump", method: "HEAD"), 405, "PGRST101"),
        (get("/rpc/echo", method: "DELETE"), 405, "PGRST101"), (get("/rpc/echo", method: "PUT"), 405, "PGRST101"),
        (get("/rpc/echo", [("a", "1"), ("a", "2")]), 400, "PGRST100"),
        (get("/rpc/echo", [("a", "1"), ("n", "eq.2")]), 400, "PGRST100"),
        (get("/rpc/echo", [("a", "1"), ("limit", "2")]), 400, "PGRST100"),
        (get("/rpc/echo", [("a", "1"), ("q", "2")]), 404, "PGRST202"),
        (get("/rpc/numbers", [("up_to", "1"), ("nope", "eq.2")]), 400, "42703"),
        (get("/rpc/letters", [("value", "eq.2")]), 400, "42703"),
        (get("/rpc/echo", [("a", "1\0")]), 400, "22021"),
        (post("/rpc/bump_rows", "", ["accept": "application/vnd.pgrst.object+json"]), 406, "PGRST107"),
        (post("/rpc/reset", "", ["content-profile": "parley"]), 406, "PGRST106"),
    ])
    func refuses(request: GatewayRequest, status: Int, code: String) throws {
        let error = try #require(refusal(request))
        #expect(error.status == status)
        #expect(error.code.rawValue == code)
    }

    @Test func wordsAnUnknownFunctionAsPostgRESTDoes() {
        #expect(
            refusal(post("/rpc/ecko", #"{"b":1,"a":2}"#))
                == APIError(
                    status: 404, code: APIError.Code("PGRST202"),
                    message: "Could not find the function door.ecko(a, b) in the schema cache",
                    details:
                        "Searched for the function door.ecko with parameters a, b or with a single unnamed json/jsonb "
                        + "parameter, but no matches were found in the schema cache.",
                    hint: "Perhaps you meant to call the function door.echo"))
        #expect(
            refusal(get("/rpc/echo"))
                == APIError(
                    status: 404, code: APIError.Code("PGRST202"),
                    message: "Could not find the function door.echo without parameters in the schema cache",
                    details:
                        "Searched for the function door.echo without parameters, but no matches were found in the schema "
                        + "cache.",
                    hint: "Perhaps you meant to call the function door.echo(a, b, ids)"))
        #expect(
            refusal(post("/rpc/twice", #"{"a":1}"#))?.message
                == "Could not choose the best candidate function between: door.twice(a => integer), door.twice(a => text)"
        )
    }

    @Test func namesTheVerbsAPathAnswersTo() throws {
        #expect(try planner.allowedMethods(get("/things")) == "OPTIONS,GET,HEAD")
        #expect(try planner.allowedMethods(get("/rpc/echo")) == "OPTIONS,GET,HEAD,POST")
        #expect(try planner.allowedMethods(get("/rpc/bump")) == "OPTIONS,POST")
        #expect(throws: APIError.self) { try planner.allowedMethods(get("/rpc/nope")) }
        #expect(throws: APIError.self) { try planner.allowedMethods(get("/nope")) }
    }
}

@Suite struct GatewayPlanResponseTests {
    private func columns(_ values: String?...) -> [[UInt8]?] { values.map { $0.map { Array($0.utf8) } } }

    @Test func answersRows() throws {
        let plan = try planner.plan(
            get("/things", [("offset", "1")], ["prefer": "count=exact", "accept-profile": "door"]))
        #expect(
            try plan.response(self.columns("[{},{}]", "2", "3"))
                == GatewayResponse(
                    status: 206,
                    headers: [
                        HeaderField("Content-Range", "1-2/3"),
                        HeaderField("Content-Type", "application/json; charset=utf-8"),
                        HeaderField("Content-Profile", "door"), HeaderField("Preference-Applied", "count=exact"),
                    ], body: Array("[{},{}]".utf8)))
    }

    @Test func answersHeadWithoutABody() throws {
        let plan = try planner.plan(get("/things", method: "HEAD"))
        let response = try plan.response(self.columns("[{}]", "1", nil))
        #expect(response.body.isEmpty)
        #expect(response.headers.first == HeaderField("Content-Range", "0-0/*"))
    }

    @Test func answersValuesAndNothing() throws {
        #expect(try planner.plan(post("/rpc/bump", "")).response(self.columns("7")).body == Array("7".utf8))
        #expect(try planner.plan(post("/rpc/bump", "")).response([nil]).body == Array("null".utf8))
        let void = try planner.plan(post("/rpc/reset", "")).response(self.columns(""))
        #expect(void.status == 204)
        #expect(void.body.isEmpty)
    }

    @Test(arguments: ["0", "2"])
    func refusesToMakeOneObjectOfSeveralRows(rows: String) throws {
        let plan = try planner.plan(get("/things", [], ["accept": "application/vnd.pgrst.object+json"]))
        #expect(throws: APIError.singular(rows: Int(rows) ?? -1)) {
            try plan.response(self.columns("{}", rows, nil))
        }
        #expect(try plan.response(self.columns("{}", "1", nil)).body == Array("{}".utf8))
    }
}
