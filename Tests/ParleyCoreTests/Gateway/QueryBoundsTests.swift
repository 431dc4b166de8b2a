import Testing

@testable import ParleyCore

/// What a query may ask of the database before the database is asked.
struct QueryBoundsTests {
    private static let cache: SchemaCache = {
        var cache = SchemaCache(
            schema: "api",
            relations: [APIRelation("message", columns: [APIColumn("id", "bigint"), APIColumn("n", "numeric")])],
            functions: [APIFunction("send", result: .void), APIFunction("secret", result: .void)])
        cache.grants = SchemaCache.grants(
            [["authenticated", "f", "send"], ["authenticated", "r", "message"], ["other", "f", "secret"]],
            roles: ["anon", "authenticated"])
        return cache
    }()

    private func plan(_ query: [(String, String)], role: String? = "authenticated") throws(APIError) -> GatewayPlan {
        let parameters = query.map { GatewayRequest.Parameter($0.0, $0.1) }
        return try GatewayPlanner(cache: Self.cache).plan(
            GatewayRequest(method: "GET", segments: ["message"], query: parameters), role: role)
    }

    @Test(arguments: [
        ("select", Array(repeating: "id", count: 257).joined(separator: ",")), ("select", "*,*"),
        ("select", String(repeating: "a", count: 64) + ":id"),
        ("order", Array(repeating: "id", count: 33).joined(separator: ",")),
        ("id", "in.(" + Array(repeating: "1", count: 33_000).joined(separator: ",") + ")"), ("n", "eq.1e131071"),
        ("n", "in.(1,1e131071)"),
    ]) func tooMuchIsRefused(_ name: String, _ value: String) {
        #expect(throws: APIError.self) { try self.plan([(name, value)]) }
    }

    @Test func whatIsUsualPasses() throws {
        _ = try self.plan([
            ("select", "*,id," + String(repeating: "a", count: 63) + ":id"), ("order", "id.desc,n"),
            ("id", "in.(" + Array(repeating: "1", count: 1000).joined(separator: ",") + ")"), ("n", "eq.1.5e300"),
        ])
        #expect(throws: APIError.self) { try self.plan(Array(repeating: ("id", "eq.1"), count: 65)) }
    }

    @Test func whatARoleMayNotDoNeverReachesTheDatabase() throws {
        #expect { try self.plan([], role: "anon") } throws: { error in
            let error = error as? APIError
            return error?.code.rawValue == "42501" && error?.status == 401 && error?.mayBeStale == true
                && error?.message == "permission denied for view message"
        }
        for (name, role, status) in [("send", "anon", 401), ("secret", "authenticated", 403)] {
            let request = GatewayRequest(method: "POST", segments: ["rpc", name])
            #expect { try GatewayPlanner(cache: Self.cache).plan(request, role: role) } throws: {
                ($0 as? APIError)?.status == status
            }
            let command = DatabaseCommand(
                function: name, arguments: try CommandArguments(json: [UInt8]("{}".utf8)), subject: SessionHarness.room)
            #expect { try CommandPlanner(cache: Self.cache).plan(command, role: role) } throws: {
                ($0 as? APIError)?.code.rawValue == "42501"
            }
        }
        // Roles that nothing was asked about are left to Postgres.
        for role in ["owner", nil] { _ = try self.plan([], role: role) }
        _ = try self.plan([], role: "authenticated")
    }
}
