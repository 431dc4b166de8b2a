internal import ParleyCore
internal import PostgresClient

/// A call of the API on behalf of a socket, as one transaction of the caller's role.
enum CallQuery {
    /// A call by itself: it waits for locks as long as `lockTimeout`.
    static func transaction(_ call: DatabaseCall, timeout: Duration, lockTimeout: Duration) -> Transaction {
        Transaction(
            [Self.limits(timeout: timeout, lockTimeout: lockTimeout)] + Self.statements(call),
            timeout: timeout, contention: call.conversation.lowercaseText, contentionTable: "conversation",
            owner: call.token.owner)
    }

    /// Several calls that are committed together or not at all, each as its own user. The results come in the order of
    /// the calls, `statementsPerCall` for each after the first one.
    static func transaction(_ calls: [DatabaseCall], timeout: Duration, lockTimeout: Duration) -> Transaction {
        Transaction(
            [Self.limits(timeout: timeout, lockTimeout: lockTimeout)] + calls.flatMap(Self.statements),
            retriesOnConflict: 0, timeout: timeout)
    }

    static let statementsPerCall = 2

    private static func limits(timeout: Duration, lockTimeout: Duration) -> Statement {
        Statement(
            "select set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true)",
            [String(Int(timeout / .milliseconds(1))), String(Int(lockTimeout / .milliseconds(1)))])
    }

    private static func statements(_ call: DatabaseCall) -> [Statement] {
        [
            Statement(
                "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
                [call.token.role, String(decoding: call.token.claims, as: UTF8.self)]),
            Statement(
                GatewayStatements.mark(call.token.role) + Self.sql(call),
                [String(decoding: call.arguments, as: UTF8.self)]),
        ]
    }

    /// Names come from a fixed list, so the text is safe and there are few of them to prepare.
    private static func sql(_ call: DatabaseCall) -> String {
        let arguments = call.names.map { "\($0) => _.\($0)" }.joined(separator: ", ")
        let columns = call.names.map { "\($0) \(DatabaseCall.type(ofArgument: $0))" }.joined(separator: ", ")
        return
            "select parley_api.\(call.function.rawValue)(\(arguments)) from json_to_record($1::json) as _(\(columns))"
    }

    /// The `response` of a call that succeeded.
    static func response(_ result: ResultSet?, _ function: DatabaseCall.Function) -> [UInt8] {
        let value = result?.rows.first?[0] ?? []
        let isObject = value.first == UInt8(ascii: "{")
        guard let name = function.wrapper, isObject else { return isObject ? value : [UInt8]("{}".utf8) }
        return [UInt8]("{\"\(name)\":".utf8) + value + [UInt8(ascii: "}")]
    }

    /// The `response` of a call that failed: `{reason, code, detail?, hint?, retriable}`.
    static func response(_ error: PostgresError) -> [UInt8] {
        // What the gateway would say: nothing of the server's inside.
        let refusal = error.code == .server ? GatewayError(DatabaseFailure(error), authenticated: true) : nil
        var writer = JSONWriter()
        writer.raw("{\"reason\":")
        writer.string(refusal?.message ?? Self.reason(error))
        writer.raw(",\"code\":")
        writer.string(error.sqlState ?? (error.code == .ownerQueueFull ? "PT429" : "PT503"))
        if let detail = refusal?.details {
            writer.raw(",\"detail\":")
            writer.string(detail)
        }
        if let hint = refusal?.hint {
            writer.raw(",\"hint\":")
            writer.string(hint)
        }
        writer.raw(",\"retriable\":")
        // With a client_message_id a second try is safe even when the outcome is not known. A limit says itself when.
        writer.bool(
            error.isRetriable || error.outcomeUnknown || error.code != .server || error.sqlState == "PT429")
        writer.byte(UInt8(ascii: "}"))
        return writer.bytes
    }

    private static func reason(_ error: PostgresError) -> String {
        switch error.code {
        case .queueFull: "The database has too much to do, please try again"
        case .ownerQueueFull: "Too many of your calls are waiting, please send fewer at a time"
        case .unconfirmed: "The database did not confirm the change in time, please try again"
        case .timeout: "The database did not answer in time, please try again"
        default: "The database could not be reached, please try again"
        }
    }
}
