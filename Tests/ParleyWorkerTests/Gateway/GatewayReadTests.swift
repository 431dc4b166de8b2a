import Testing

@testable import ParleyWorker

@Suite(.enabled(if: LiveGateway.databaseURL != nil)) struct GatewayReadTests {
    @Test(arguments: [
        Exchange("GET", "/things?id=eq.2&select=id,name", 200, #"[{"id":2,"name":"thing 2"}]"#),
        Exchange("GET", "/things?id=eq.2&select=", 200, "[{}]"),
        Exchange("GET", "/things?id=eq.2&select=s:id,t:name", 200, #"[{"s":2,"t":"thing 2"}]"#),
        Exchange("GET", "/things?id=eq.2&select=n:name,*&limit=1", 200),
        Exchange("GET", "/things?id=in.(1,3)&select=id&order=id.desc", 200, "[{\"id\":3}, \n {\"id\":1}]"),
        Exchange("GET", "/things?id=in.()&select=id", 200, "[]"),
        Exchange("GET", "/things?id=not.gt.2&select=id&order=id", 200, "[{\"id\":1}, \n {\"id\":2}]"),
        Exchange("GET", "/things?id=gte.3&id=lt.5&select=id&order=id", 200, "[{\"id\":3}, \n {\"id\":4}]"),
        Exchange("GET", "/things?id=lte.1&select=id", 200, #"[{"id":1}]"#),
        Exchange("GET", "/things?id=neq.1&id=lte.2&select=id", 200, #"[{"id":2}]"#),
        Exchange("GET", "/things?name=is.null&select=id&order=id&limit=1", 200, #"[{"id":10}]"#),
        Exchange("GET", "/things?done=is.true&select=id&order=id&limit=1", 200, #"[{"id":3}]"#),
        Exchange("GET", "/things?done=not.is.unknown&id=eq.2", 200, "[]"),
        Exchange("GET", "/things?name=eq.thing%201&select=id", 200, #"[{"id":1}]"#),
        Exchange("GET", "/things?name=eq.'; drop table x; --&select=id", 200, "[]"),
        Exchange("GET", "/things?ref=eq.00000000-0000-4000-8000-000000000007&select=id", 200, #"[{"id":7}]"#),
        Exchange("GET", "/things?made_at=eq.2024-01-02T03:04:05Z&select=id&order=id&limit=1", 200, #"[{"id":1}]"#),
        Exchange("GET", "/things?labels=eq.{a1}&select=id&order=id&limit=1", 200, #"[{"id":1}]"#),
        Exchange("GET", "/things?tag=eq.t1&select=id&order=id&limit=1", 200, #"[{"id":1}]"#),
        Exchange("GET", "/things?odd%20name=eq.7&select=odd%20name&limit=1", 200, #"[{"odd name":7}]"#),
        Exchange("GET", "/things?%22odd%20name%22=eq.8", 200, "[]"),
        Exchange("GET", "/things?order=name.asc.nullsfirst,id.desc&select=id&limit=1", 200, #"[{"id":1500}]"#),
        Exchange(
            "GET", "/things?id=eq.10&select=id,name", headers: ["accept": "application/vnd.pgrst.object+json"], 200,
            #"{"id":10,"name":null}"#),
        Exchange(
            "GET", "/things?id=eq.10&select=id,name",
            headers: ["accept": "application/vnd.pgrst.object+json;nulls=stripped"], 200, #"{"id":10}"#),
        Exchange(
            "GET", "/things?id=lt.3", headers: ["accept": "application/vnd.pgrst.object+json"], 406,
            #"{"code":"PGRST116","message":"Cannot coerce the result to a single JSON object","details":"The result contains 2 rows","hint":null}"#
        ),
        Exchange(
            "GET", "/things?id=lt.0", headers: ["accept": "application/vnd.pgrst.object+json"], 406,
            #"{"code":"PGRST116","message":"Cannot coerce the result to a single JSON object","details":"The result contains 0 rows","hint":null}"#
        ),
        Exchange(
            "GET", "/things?id=eq.x", 400,
            #"{"code":"22P02","message":"invalid input syntax for type integer: \"x\"","details":null,"hint":null}"#),
        Exchange("GET", "/things?ref=eq.x", 400), Exchange("GET", "/things?id=in.(1,x)", 400),
        Exchange("GET", "/things?made_at=gt.yesterdayish", 400), Exchange("GET", "/things?id=is.true", 400),
        Exchange("GET", "/things?id=eq.99999999999999999999", 400),
        Exchange(
            "GET", "/things?nope=eq.1", 400,
            #"{"code":"42703","message":"column things.nope does not exist","details":null,"hint":null}"#),
        Exchange("GET", "/secrets", 403), Exchange("GET", "/nope", 404), Exchange("POST", "/things", "{}", 405),
        Exchange("GET", "/hidden.thing", 404), Exchange("GET", "/pg_class", 404), Exchange("GET", "/", 200),
        Exchange("GET", "/things", headers: ["accept-profile": "hidden"], 406),
        Exchange("GET", "/things?limit=-1", 416), Exchange("GET", "/things", headers: ["range": "5-1"], 416),
        Exchange("OPTIONS", "/things", 200), Exchange("OPTIONS", "/rpc/bump", 200), Exchange("OPTIONS", "/nope", 404),
    ])
    func answers(_ exchange: Exchange) async throws { try await exchange.check() }

    @Test(
        arguments: [
            ("/things?select=id", [:], 200, "0-999/*"),
            ("/things?select=id&limit=1000000000", [:], 200, "0-999/*"),
            ("/things?select=id&limit=1000000000&offset=1400", [:], 200, "1400-1499/*"),
            ("/things?select=id&limit=0", [:], 200, "*/*"),
            ("/things?id=lt.0", [:], 200, "*/*"),
            ("/things?id=lt.0", ["prefer": "count=exact"], 200, "*/0"),
            ("/things?id=lt.3", ["prefer": "count=exact"], 200, "0-1/2"),
            ("/things?limit=5", ["prefer": "count=exact"], 206, "0-4/1500"),
            ("/things?select=id", ["prefer": "count=exact"], 206, "0-999/1500"),
            ("/things?select=id", ["range": "10-19", "range-unit": "items"], 200, "10-19/*"),
            ("/things?offset=1501", ["prefer": "count=exact"], 416, "*/1500"),
            ("/things?offset=9223372036854775807", [:], 200, "*/*"),
            ("/rpc/numbers?up_to=5&limit=2&offset=1", ["prefer": "count=exact"], 206, "1-2/5"),
            ("/rpc/truth", [:], 200, "0-0/*"),
        ] as [(String, [String: String], Int, String)])
    func countsAndPages(target: String, headers: [String: String], status: Int, range: String) async throws {
        let live = try await LiveGateway.shared.value
        let token = LiveGateway.token(role: "authenticated")
        for method in ["GET", "HEAD"] {
            let answer = await live.ask(method, target, token: token, headers: headers)
            #expect(answer.status == status)
            #expect(answer.headers["content-range"] == range)
            #expect(method == "GET" || answer.status >= 300 || answer.body.isEmpty)
        }
    }
}
