import PostgresClient
import Support
import Testing
import WebServer

@testable import ParleyWorker

@Suite(.enabled(if: LiveGateway.databaseURL != nil), .serialized) struct GatewayAccessTests {
    private func challenge(_ message: String) -> String {
        "Bearer error=\"invalid_token\", error_description=\"\(message)\""
    }

    @Test func refusesTokensAsPostgRESTDoes() async throws {
        let live = try await LiveGateway.shared.value
        let good = LiveGateway.token(role: "authenticated")
        for (token, code, message) in [
            (LiveGateway.token(#"{"role":"authenticated","exp":5}"#), "PGRST303", "JWT expired"),
            (good + "x", "PGRST301", "JWT cryptographic operation failed"),
            ("rubbish", "PGRST301", "JWT couldn't be decoded"),
            (
                LiveGateway.token(#"{"role":"authenticated"}"#), "PGRST303",
                "The JWT claims 'role' and 'exp' are required"
            ),
        ] {
            let answer = await live.ask("POST", "/rpc/truth", token: token)
            #expect(answer.status == 401)
            #expect(answer.body.hasPrefix(#"{"code":"\#(code)","message":"\#(message)","#), "\(answer.body)")
            #expect(answer.headers["www-authenticate"] == self.challenge(message))
            #expect(answer.headers["proxy-status"] == "PostgREST; error=\(code)")
        }
        let empty = await live.ask("POST", "/rpc/truth", headers: ["authorization": "Bearer "])
        #expect(empty.status == 401)
        #expect(empty.body.contains("Empty JWT is sent in Authorization header"))
    }

    @Test func takesOnNoRoleButTheThree() async throws {
        let live = try await LiveGateway.shared.value
        for role in ["postgres", "parley_worker", "pg_read_all_data", "nobody", "ANON", "anon "] {
            let answer = await live.ask("POST", "/rpc/whoami", token: LiveGateway.token(role: role))
            #expect(answer.status == 403)
            #expect(answer.body.hasPrefix(#"{"code":"42501","message":"permission denied to set role"#))
        }
    }

    @Test func prefersTheBearerTokenAndElseTakesTheKey() async throws {
        let live = try await LiveGateway.shared.value
        let user = LiveGateway.token(role: "authenticated")
        let key = LiveGateway.token(role: "service_role")
        let both = await live.ask("POST", "/rpc/whoami", token: user, headers: ["apikey": key])
        #expect(both.body.contains(#""role": "authenticated""#))
        let keyOnly = await live.ask("POST", "/rpc/whoami", headers: ["apikey": key])
        #expect(keyOnly.body.contains(#""role": "service_role""#))
        let basic = await live.ask("POST", "/rpc/whoami", headers: ["authorization": "Basic eA==", "apikey": key])
        #expect(basic.body.contains(#""role": "service_role""#))
        let broken = await live.ask("POST", "/rpc/whoami", token: "rubbish", headers: ["apikey": key])
        #expect(broken.status == 401)
        let lower = await live.ask("POST", "/rpc/whoami", headers: ["authorization": "bearer  \(user)"])
        #expect(lower.body.contains(#""role": "authenticated""#))
    }

    @Test func asksAnonymousCallersToLogIn() async throws {
        let live = try await LiveGateway.shared.value
        for (method, target) in [("POST", "/rpc/guarded"), ("GET", "/secrets")] {
            let answer = await live.ask(method, target)
            #expect(answer.status == 401)
            #expect(answer.headers["www-authenticate"] == "Bearer")
            #expect(answer.body.contains(#""code":"42501""#))
            #expect(await live.ask(method, target, token: LiveGateway.token(role: "service_role")).status == 200)
        }
    }

    /// Postgres checks the right to execute a function that it inlines when it plans, not when it runs; a plan made for
    /// one role must not serve another.
    @Test func checksRightsAnewForEveryRole() async throws {
        let live = try await LiveGateway.shared.value
        for _ in 0..<20 {
            let allowed = await live.ask("POST", "/rpc/guarded", token: LiveGateway.token(role: "service_role"))
            #expect(allowed.status == 200)
            let refused = await live.ask("POST", "/rpc/guarded", token: LiveGateway.token(role: "authenticated"))
            #expect(refused.status == 403)
        }
    }

    @Test func answersPreflights() async throws {
        let live = try await LiveGateway.shared.value
        let answer = await live.ask(
            "OPTIONS", "/rpc/anything",
            headers: [
                "origin": "https://app.example", "access-control-request-method": "POST",
                "access-control-request-headers": "authorization, x-client-info, bad\r\nheader",
            ])
        #expect(answer.status == 200)
        #expect(answer.headers["access-control-allow-origin"] == "*")
        #expect(answer.headers["access-control-allow-methods"]?.contains("POST") == true)
        #expect(
            answer.headers["access-control-allow-headers"]?.hasSuffix("authorization, x-client-info, badheader") == true
        )
    }

    @Test func findsAFunctionMadeAfterTheSchemaWasRead() async throws {
        // A gateway of its own: a load that another test began might have missed the function.
        let shared = try await LiveGateway.shared.value
        let live = LiveGateway(pool: shared.pool, lines: shared.log, log: Log(label: "test") { _ in })
        #expect(await live.ask("POST", "/rpc/newcomer").status == 404)
        _ = try await live.sql("create function door.newcomer() returns integer language sql stable as 'select 1'")
        #expect(await live.ask("POST", "/rpc/newcomer").body == "1")
        _ = try await live.sql("drop function door.newcomer()")
        // The cache still lists it: Postgres says that it is gone, and then the cache learns it.
        let gone = await live.ask("POST", "/rpc/newcomer")
        #expect(gone.status == 404)
    }

    @Test func readsTheCatalogAtABoundedRate() async throws {
        let live = try await LiveGateway.shared.value
        let lines = LiveGateway.Lines()
        let log = Log(label: "test", threshold: .debug) { lines.append($0.text) }
        let slow = LiveGateway(pool: live.pool, lines: lines, log: log, reloadInterval: .seconds(600))
        for index in 0..<50 { #expect(await slow.ask("POST", "/rpc/guess_\(index)").status == 404) }
        #expect(lines.all.count { $0.contains("schema cache loaded") } == 1)
    }

    @Test func saysThatTheSchemaIsNotThere() async throws {
        let live = try await LiveGateway.shared.value
        let other = LiveGateway(
            pool: live.pool, lines: live.log, log: Log(label: "test") { _ in }, schema: "no_such_schema")
        let answer = await other.ask("POST", "/rpc/truth")
        #expect(answer.status == 503)
        #expect(answer.headers["retry-after"] == "1")
        #expect(answer.body.contains("PGRST002"))
    }

    @Test func answers503WhileTheDatabaseIsAway() async throws {
        var configuration = PostgresConfiguration(url: "postgresql://postgres@127.0.0.1:1/none")
        configuration.connectionWait = .milliseconds(50)
        let pool = PostgresPool(configuration, size: 1, maxQueued: 4, log: Log(label: "test") { _ in })
        let away = LiveGateway(pool: pool, lines: .init(), log: Log(label: "test") { _ in })
        for _ in 0..<3 {
            let answer = await away.ask("POST", "/rpc/truth")
            #expect(answer.status == 503)
            #expect(answer.headers["retry-after"] == "1")
            #expect(answer.body.contains("PGRST00"))
        }
        await pool.shutdown()
    }

    @Test func leavesOtherPathsAlone() async throws {
        let live = try await LiveGateway.shared.value
        #expect(live.gateway.owns(HTTPRequest(method: "GET", path: "/rest/v1/things")))
        #expect(live.gateway.owns(HTTPRequest(method: "GET", path: "/rest/v1")))
        for path in ["/", "/rest", "/rest/v2/things", "/restv1", "/realtime/v1/api/broadcast", "/health/live"] {
            #expect(!live.gateway.owns(HTTPRequest(method: "GET", path: path)))
        }
    }
}
