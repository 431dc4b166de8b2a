import Support
import Testing

@testable import ParleyWorker

/// One request and what its answer must be.
struct Exchange: Sendable, CustomTestStringConvertible {
    var method: String
    var target: String
    var body: String
    var headers: [String: String]
    var status: Int
    /// The whole body, or nil to look only at the status.
    var answer: String?

    init(_ method: String, _ target: String, _ body: String, _ status: Int, _ answer: String? = nil) {
        self.init(method, target, headers: [:], status, answer)
        self.body = body
    }

    init(
        _ method: String, _ target: String, headers: [String: String] = [:], _ status: Int, _ answer: String? = nil
    ) {
        self.method = method
        self.target = target
        self.body = ""
        self.headers = headers
        self.status = status
        self.answer = answer
    }

    var testDescription: String { "\(self.method) \(self.target) \(self.body.prefix(80))" }

    func check(_ location: SourceLocation = #_sourceLocation) async throws {
        let live = try await LiveGateway.shared.value
        let answer = await live.ask(
            self.method, self.target, body: self.body, token: LiveGateway.token(role: "authenticated"),
            headers: self.headers)
        #expect(answer.status == self.status, "\(answer.body)", sourceLocation: location)
        if let expected = self.answer { #expect(answer.body == expected, sourceLocation: location) }
        #expect(answer.headers["access-control-allow-origin"] == "*", sourceLocation: location)
        if self.status >= 300 {
            #expect(answer.headers["proxy-status"]?.hasPrefix("PostgREST; error=") == true, sourceLocation: location)
        }
    }
}

@Suite(.enabled(if: LiveGateway.databaseURL != nil), .serialized) struct GatewayFunctionTests {
    @Test(arguments: [
        // Arguments of every kind, by body and by query.
        Exchange("POST", "/rpc/echo", #"{"a":1}"#, 200, #"{"a": 1, "b": "x", "c": null, "d": null}"#),
        Exchange(
            "POST", "/rpc/echo", #"{"d":["00000000-0000-4000-8000-000000000001"],"c":{"k":[1,null]},"a":"7","b":null}"#,
            200,
            #"{"a": 7, "b": null, "c": {"k": [1, null]}, "d": ["00000000-0000-4000-8000-000000000001"]}"#),
        Exchange("POST", "/rpc/echo", #"{"a":1,"c":"text"}"#, 200, #"{"a": 1, "b": "x", "c": "text", "d": null}"#),
        Exchange(
            "POST", "/rpc/echo", #"{"a":1,"b":"a \"q\" \\ \u00e9 😀"}"#, 200,
            #"{"a": 1, "b": "a \"q\" \\ é 😀", "c": null, "d": null}"#),
        Exchange(
            "GET", "/rpc/echo?a=5&c=[1,2]&d={00000000-0000-4000-8000-000000000001}", 200,
            #"{"a": 5, "b": "x", "c": [1, 2], "d": ["00000000-0000-4000-8000-000000000001"]}"#),
        Exchange("GET", "/rpc/echo?a=5&b=eq.text", 200, #"{"a": 5, "b": "eq.text", "c": null, "d": null}"#),
        Exchange("HEAD", "/rpc/echo?a=5", 200, ""),
        Exchange("POST", "/rpc/many", #"{"words":["a","b"]}"#, 200, "2"),
        Exchange("GET", "/rpc/many?words={a,b,c}", 200, "3"),
        Exchange("POST", "/rpc/tagged", #"{"tag":"short"}"#, 200, #""short""#),
        Exchange("POST", "/rpc/tagged", #"{"tag":"much too long for it"}"#, 400),
        Exchange("POST", "/rpc/whole", #"{"any":"thing"}"#, 200, #"{"any": "thing"}"#),
        Exchange("POST", "/rpc/shape", #"{"a":1}"#, 200, #""a""#),
        Exchange("POST", "/rpc/shape", #"{"a":1,"b":2}"#, 200, #""ab""#),

        // Results of every kind.
        Exchange("POST", "/rpc/plain_json", "", 200, #"{"b" : 1, "a":[1, 2]}"#),
        Exchange("POST", "/rpc/truth", "{}", 200, "true"),
        Exchange("POST", "/rpc/nothing", "{}", 200, "null"),
        Exchange("POST", "/rpc/reset", "{}", 204, ""),
        Exchange("POST", "/rpc/letters", "{}", 200, #"["a", "b", "c"]"#),
        Exchange("GET", "/rpc/letters?limit=1&offset=1", 200, #"["b"]"#),
        Exchange("POST", "/rpc/numbers", #"{"up_to":2}"#, 200, "[{\"n\":1,\"square\":1}, \n {\"n\":2,\"square\":4}]"),
        Exchange("POST", "/rpc/numbers", #"{"up_to":0}"#, 200, "[]"),
        Exchange(
            "GET", "/rpc/numbers?up_to=9&n=gt.7&order=n.desc&select=sq:square", 200, "[{\"sq\":81}, \n {\"sq\":64}]"),
        Exchange(
            "GET", "/rpc/numbers?up_to=9&n=eq.3", headers: ["accept": "application/vnd.pgrst.object+json"], 200,
            #"{"n":3,"square":9}"#),
        Exchange("POST", "/rpc/bump_rows", "{}", 200),
        Exchange(
            "GET", "/rpc/one_thing?id=10", headers: ["accept": "application/vnd.pgrst.array+json;nulls=stripped"], 200),

        // Refusals.
        Exchange("POST", "/rpc/nope", "{}", 404), Exchange("POST", "/rpc/echo", "{}", 404),
        Exchange("POST", "/rpc/twice", #"{"a":1}"#, 300), Exchange("POST", "/rpc/echo", #"{"a":"x"}"#, 400),
        Exchange("POST", "/rpc/echo", #"{"a":1.5}"#, 400), Exchange("POST", "/rpc/echo", #"{"a":99999999999}"#, 400),
        Exchange("POST", "/rpc/echo", #"{"a":[1]}"#, 400), Exchange("POST", "/rpc/echo", #"{"a":1,"d":"x"}"#, 400),
        Exchange("POST", "/rpc/echo", #"{"a":1,"d":["x"]}"#, 400),
        Exchange("POST", "/rpc/echo", #"{"a":1,"b":"\u0000"}"#, 400),
        Exchange("GET", "/rpc/echo?a=x", 400), Exchange("GET", "/rpc/echo?a=1&c={", 400),
        Exchange("GET", "/rpc/echo?a=1&d={x", 400), Exchange("GET", "/rpc/bump", 405),
        Exchange("HEAD", "/rpc/reset", 405),
        Exchange("DELETE", "/rpc/reset", 405), Exchange("POST", "/rpc/guarded", "{}", 403),
        Exchange("POST", "/rpc/bump_in_stable", "{}", 400),

        // What functions raise.
        Exchange("POST", "/rpc/fail", #"{"state":"PT404"}"#, 404),
        Exchange("POST", "/rpc/fail", #"{"state":"PT413"}"#, 413),
        Exchange("POST", "/rpc/fail", #"{"state":"42501"}"#, 403),
        Exchange("POST", "/rpc/fail", #"{"state":"23505"}"#, 409),
        Exchange("POST", "/rpc/fail", #"{"state":"P0001"}"#, 400),
        Exchange("POST", "/rpc/fail", #"{"state":"XX000"}"#, 500),
        Exchange("POST", "/rpc/nap", #"{"seconds":5}"#, 500),
    ])
    func answers(_ exchange: Exchange) async throws { try await exchange.check() }

    @Test func runsAsTheCallerAndTellsTheDatabaseWhoThatIs() async throws {
        let live = try await LiveGateway.shared.value
        let token = LiveGateway.token(#"{"role":"service_role","exp":99999999999,"sub":"s","x":{"y":[1]}}"#)
        let answer = await live.ask(
            "POST", "/rpc/whoami", token: token,
            headers: ["x-client-info": "test/1", "cookie": "secret", "apikey": "secret", "x-request-id": "é\"1"])
        #expect(answer.body.contains(#""role": "service_role""#))
        #expect(answer.body.contains(#""sub": "s", "role": "service_role""#))
        #expect(answer.body.contains(#""method": "POST""#))
        #expect(answer.body.contains(#""path": "/rpc/whoami""#))
        #expect(answer.body.contains(#""read_only": "on""#))
        #expect(answer.body.contains(#""x-client-info": "test/1""#))
        #expect(answer.body.contains(#""x-request-id": "é\"1""#))
        #expect(!answer.body.contains("secret"))
        #expect(!answer.body.contains(token))

        let anonymous = await live.ask("GET", "/rpc/whoami")
        #expect(anonymous.body.contains(#""claims": {"role": "anon"}"#))
        #expect(anonymous.body.contains(#""role": "anon""#))
    }

    @Test func leavesNothingOfACallerOnTheConnection() async throws {
        let live = try await LiveGateway.shared.value
        for _ in 0..<8 {
            _ = await live.ask("POST", "/rpc/truth", token: LiveGateway.token(role: "service_role"))
            let state = try await live.sql(
                """
                select current_user || '/' || coalesce(current_setting('request.jwt.claims', true), '') || '/'
                    || current_setting('statement_timeout')
                """)
            #expect(state == "postgres//0")
        }
    }

    @Test func undoesWhatAFailedCallDid() async throws {
        let live = try await LiveGateway.shared.value
        _ = await live.ask("POST", "/rpc/reset")
        #expect(await live.ask("POST", "/rpc/bump", body: #"{"by":5}"#).body == "5")
        let failed = await live.ask("POST", "/rpc/bump_then_fail")
        #expect(failed.status == 409)
        #expect(failed.body == #"{"code":"PT409","message":"No.","details":null,"hint":null}"#)
        #expect(await live.ask("POST", "/rpc/bump", body: #"{"by":0}"#).body == "5")
    }

    @Test func saysWhenToTryAgain() async throws {
        let live = try await LiveGateway.shared.value
        let answer = await live.ask(
            "POST", "/rpc/fail", body: #"{"state":"PT429","detail":"Retry-After: 42","hint":"Wait."}"#)
        #expect(answer.status == 429)
        #expect(answer.headers["retry-after"] == "42")
        #expect(
            answer.body == #"{"code":"PT429","message":"It failed.","details":"Retry-After: 42","hint":"Wait."}"#)
    }

    @Test func runs400CallsAtOnce() async throws {
        let live = try await LiveGateway.shared.value
        let wide = LiveGateway(
            pool: live.pool, lines: live.log, log: .init(label: "test") { _ in })
        // What is asked once of a user takes no place from the others.
        _ = await wide.ask("POST", "/rpc/echo", body: #"{"a":1}"#)
        let statuses = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<400 { group.addTask { await wide.ask("POST", "/rpc/echo", body: #"{"a":1}"#).status } }
            return await group.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
        }
        // The pool's queue holds 64: the rest is told to come back, and nothing hangs or fails otherwise.
        #expect(Set(statuses.keys).isSubset(of: [200, 503]))
        #expect(statuses[200, default: 0] >= 64)
    }

    @Test func logsNoValueOfACaller() async throws {
        let live = try await LiveGateway.shared.value
        let marker = "unmistakable-\(UInt64.random(in: 0 ... .max))"
        for body in [#"{"a":"\#(marker)"}"#, #"{"\#(marker)":1}"#, marker] {
            _ = await live.ask("POST", "/rpc/echo", body: body, token: marker)
            _ = await live.ask("POST", "/rpc/echo", body: body)
        }
        _ = await live.ask("POST", "/rpc/\(marker)")
        _ = await live.ask("POST", "/rpc/nap", body: #"{"seconds":5}"#)
        #expect(live.log.all.contains { $0.contains("request failed") })
        #expect(!live.log.all.contains { $0.contains(marker) })
    }
}
