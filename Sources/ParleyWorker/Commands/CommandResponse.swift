internal import ParleyCore
internal import PostgresClient

/// The `response` of a command's reply.
enum CommandResponse {
    /// What the function returned, under the command's name for it.
    static func success(_ result: ResultSet?, of command: PlannedCommand) -> [UInt8] {
        guard !command.plan.isVoid, let value = result?.rows.first?[0] else { return RealtimeCodec.emptyObject }
        guard let name = command.request.command.answerName else { return value }
        guard value.first == UInt8(ascii: "{") else { return RealtimeCodec.emptyObject }
        return [UInt8]("{\"\(name)\":".utf8) + value + [UInt8(ascii: "}")]
    }

    /// What the database said, or why it could not be asked.
    static func failure(_ error: PostgresError) -> [UInt8] {
        // With a client_message_id a second try is safe even when the outcome is not known. A limit says itself when.
        let isRetriable =
            error.isRetriable || error.outcomeUnknown || error.code != .server || error.sqlState == "PT429"
        if error.code == .server {
            // What the gateway would say: nothing of the server's inside.
            let refusal = APIError(DatabaseFailure(error), authenticated: true)
            return refusal.response(isRetriable: isRetriable || refusal.status == 503)
        }
        let code = error.sqlState ?? (error.code == .ownerQueueFull ? "PT429" : "PT503")
        return APIError(status: 503, code: .init(code), message: Self.reason(error)).response(isRetriable: isRetriable)
    }

    /// A command that was refused before the database was asked.
    static func failure(_ refusal: APIError) -> [UInt8] {
        refusal.response(isRetriable: refusal.status == 503)
    }

    private static func reason(_ error: PostgresError) -> String {
        switch error.code {
        case .queueFull: "The database has too much to do, please try again"
        case .ownerQueueFull: "Too many of your commands are waiting, please send fewer at a time"
        case .unconfirmed: "The database did not confirm the change in time, please try again"
        case .timeout: "The database did not answer in time, please try again"
        default: "The database could not be reached, please try again"
        }
    }
}
