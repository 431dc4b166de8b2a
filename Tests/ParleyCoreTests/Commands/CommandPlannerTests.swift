import FoundationEssentials
import Testing

@testable import ParleyCore

@Suite struct CommandPlannerTests {
    private let room = UUID(uuidString: "00000000-0000-4000-8000-0000000000c1")!

    private var planner: CommandPlanner {
        CommandPlanner(
            cache: SchemaCache(
                schema: "api",
                functions: [
                    APIFunction(
                        "say", [.init("conversation_id", "uuid"), .init("text", "text", hasDefault: true)],
                        result: .value(isJSON: true)),
                    APIFunction("count", [.init("n", "integer")], result: .value(isJSON: false), isReadOnly: true),
                    APIFunction("forget", result: .void),
                    APIFunction("one", result: .row([APIColumn("id", "integer")]), isReadOnly: true),
                    APIFunction("many", result: .rows([APIColumn("id", "integer")]), isReadOnly: true),
                    APIFunction("letters", result: .values, isReadOnly: true),
                ]), maxRows: 50)
    }

    private func command(_ function: String, _ json: String = "{}", in room: UUID? = nil) throws -> DatabaseCommand {
        DatabaseCommand(
            function: function, arguments: try CommandArguments(json: Array(json.utf8)), subject: self.room,
            channelConversation: room)
    }

    private func refusal(_ function: String, _ json: String) throws -> APIError {
        try #require(throws: APIError.self) { try self.planner.plan(self.command(function, json)) }
    }

    @Test(
        arguments: [
            (
                "count", #"{"n":1}"#,
                #"select (to_json("api"."count"("n" => a."n")))::text from json_to_record($1::json) a("n" integer)"#
            ),
            ("forget", "{}", #"select "api"."forget"()"#),
            ("one", "{}", #"select row_to_json(s.*)::text from (select t.* from "api"."one"() t) s"#),
            (
                "many", "{}",
                #"with result as materialized (select t.* from "api"."many"() t) "#
                    + "select coalesce(json_agg(s.*), '[]')::text from (select * from result limit 50) s"
            ),
            (
                "letters", "{}",
                #"with result as materialized (select "api"."letters"() as value) "#
                    + "select coalesce(json_agg(s.value), '[]')::text from (select * from result limit 50) s"
            ),
        ])
    func oneRowWithOneColumn(function: String, json: String, sql: String) throws {
        let plan = try self.planner.plan(try self.command(function, json))
        #expect(plan.sql == sql)
        #expect(plan.isVoid == (function == "forget"))
        #expect(plan.isReadOnly == (function != "forget"))
    }

    @Test(arguments: [("{}", ""), (#" {"text":"x"}"#, #","text":"x""#)])
    func theChannelsConversationIsFilledIn(json: String, rest: String) throws {
        let plan = try self.planner.plan(try self.command("say", json, in: self.room))
        #expect(plan.parameters == [#"{"conversation_id":"\#(self.room.lowercaseText)"\#(rest)}"#])
    }

    @Test func aNamedConversationIsKept() throws {
        let other = #"{"conversation_id":"00000000-0000-4000-8000-0000000000c2"}"#
        #expect(try self.planner.plan(try self.command("say", other, in: self.room)).parameters == [other])
    }

    @Test func aFunctionWithoutConversationGetsNone() throws {
        #expect(try self.planner.plan(try self.command("forget", in: self.room)).parameters.isEmpty)
    }

    @Test func refusesAsTheGatewayDoes() throws {
        #expect(try self.refusal("sya", "{}").code.rawValue == "PGRST202")
        #expect(try self.refusal("count", #"{"m":1}"#).code.rawValue == "PGRST202")
        #expect(try self.refusal("count", #"{"n":"much"}"#).code.rawValue == "22P02")
        #expect(try self.refusal("count", #"{"n":5000000000}"#).code.rawValue == "22003")
    }

    @Test(
        arguments: [
            ("[]", "PGRST102"), ("{", "PGRST102"), (#"{"a":1,"a":2}"#, "PGRST102"), (#"{"a":"\u0000"}"#, "22P05"),
            ("{" + (0...100).map { "\"a\($0)\":0" }.joined(separator: ",") + "}", "PGRST102"),
        ])
    func refusesWhatIsNoObjectOfArguments(json: String, code: String) {
        let refusal = #expect(throws: APIError.self) { try CommandArguments(json: Array(json.utf8)) }
        #expect(refusal?.code.rawValue == code)
    }

    /// What is remembered must not depend on who came first: names, role, channel and values all matter.
    @Test func whatIsRememberedPlansAsIfItWereNew() throws {
        var cache = SchemaCache(
            schema: "api",
            functions: [
                APIFunction(
                    "say", [.init("conversation_id", "uuid"), .init("text", "text", hasDefault: true)],
                    result: .value(isJSON: true)),
                APIFunction("say", [.init("call_id", "uuid"), .init("n", "integer")], result: .void),
                APIFunction("whole", [.init("", "json")], result: .void),
            ])
        cache.grants = ["user": APIGrants(functions: ["say", "whole"]), "nobody": APIGrants()]
        let id = self.room.uuidString
        let commands = try [
            self.command("say", #"{"text":"a"}"#, in: self.room), self.command("say", #"{"text":"b"}"#, in: UUID()),
            self.command("say", #"{"text":"c"}"#), self.command("say", "{}", in: self.room),
            self.command("say", #"{"conversation_id":"\#(id)"}"#, in: UUID()),
            self.command("say", #"{"conversation_id":"nonsense"}"#), self.command("say", #"{"n":1}"#, in: self.room),
            self.command("say", #"{"call_id":"\#(id)","n":1}"#), self.command("say", #"{"call_id":"\#(id)","n":"x"}"#),
            self.command("whole", #"{"a":1}"#), self.command("whole", #"{"b":1}"#, in: self.room),
            self.command("unknown"),
        ]
        for bytes in [0, 700, 1 << 20] {
            var shapes = CommandShapes(bytes: bytes)
            for _ in 0..<3 {
                for command in commands {
                    for role in ["user", "nobody", nil] {
                        let known = Result { () throws(APIError) in try shapes.plan(command, role: role, by: cache) }
                        let fresh = Result { () throws(APIError) in
                            try CommandPlanner(cache: cache).plan(command, role: role)
                        }
                        #expect(known == fresh)
                    }
                }
            }
            #expect(bytes > 0 || shapes.count == 0)
            // A newer cache: nothing of the old one holds.
            var newer = cache
            newer.generation = 1
            newer.functions["say"] = nil
            #expect(throws: APIError.self) { try shapes.plan(commands[0], role: "user", by: newer) }
            #expect(shapes.count == 0)
        }
    }
}
