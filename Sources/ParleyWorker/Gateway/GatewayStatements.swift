internal import ParleyCore
internal import PostgresClient

/// The statement that makes a transaction the caller's.
enum GatewayStatements {
    /// Headers passed on as `request.headers`: never one that holds a token or a cookie.
    private static let passedHeaders = [
        "accept", "content-type", "prefer", "user-agent", "x-client-info", "x-forwarded-for", "x-request-id",
    ]
    /// Longer values are cut: they are for logs and audit rows.
    private static let longestHeader = 1_024

    /// Sets, until the transaction ends, what PostgREST sets: the path, the role, and the facts of the request.
    static func settings(
        _ request: GatewayRequest, _ caller: GatewayCaller, schema: String, _ configuration: GatewayConfiguration
    ) -> Statement {
        return Statement(
            """
            select set_config('search_path', quote_ident($1), true), set_config('role', $2, true), \
            set_config('request.jwt.claims', $3, true), set_config('request.method', $4, true), \
            set_config('request.path', $5, true), set_config('request.headers', $6, true), \
            set_config('statement_timeout', $7, true), set_config('lock_timeout', $8, true)
            """,
            [
                schema, caller.role, caller.claims, request.method,
                "/" + request.segments.joined(separator: "/"), self.headers(request.headers),
                String(Int(configuration.statementTimeout / .milliseconds(1))),
                String(Int(configuration.lockTimeout / .milliseconds(1))),
            ])
    }

    /// The planned statement, marked with the caller's role. The answer of a read has one more column, its size, and is
    /// null if it is larger than it may be.
    static func query(_ plan: GatewayPlan, _ caller: GatewayCaller, _ configuration: GatewayConfiguration) -> Statement
    {
        let mark = RoleMark.text(caller.role)
        guard plan.isReadOnly, plan.shape != .void else { return Statement(mark + plan.sql, plan.parameters) }
        let names = plan.shape == .rows ? "answer, rows, total" : "answer"
        let others = plan.shape == .rows ? ", a.rows, a.total" : ""
        // offset 0: or the planner might compute the answer once for each place that names it.
        return Statement(
            "\(mark)select case when octet_length(a.answer) <= \(configuration.maxAnswerBytes) then a.answer end\(others), "
                + "octet_length(a.answer) from (\(plan.sql) offset 0) as a(\(names))",
            plan.parameters)
    }

    /// Why an answer with these columns is not given: it was left in the database.
    static func refusal(
        _ plan: GatewayPlan, _ columns: [[UInt8]?], _ configuration: GatewayConfiguration
    ) -> APIError? {
        guard plan.isReadOnly, plan.shape != .void, let size = columns.last ?? nil,
            let bytes = Int(String(decoding: size, as: UTF8.self)), bytes > configuration.maxAnswerBytes
        else { return nil }
        return .answerTooLarge(limit: configuration.maxAnswerBytes)
    }

    private static func headers(_ headers: [String: String]) -> String {
        var object = JSONObject()
        for name in self.passedHeaders {
            guard let value = headers[name] else { continue }
            // Cut between characters, and without the zero byte no text of Postgres can hold.
            object[name] = .string(String(value.unicodeScalars.prefix(self.longestHeader).filter { $0 != "\0" }))
        }
        return String(decoding: object.serialized(), as: UTF8.self)
    }
}
