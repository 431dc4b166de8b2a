/// Every reason and message of the protocol in one place. Clients match on some of these texts: do not reword them.
public enum ProtocolText {
    /// Refusals of the WebSocket handshake, sent as `{"error": text}`.
    public enum Handshake {
        /// 401
        public static let missingKey = "API key is missing"
        /// 401
        public static let expired = "Token has expired"
        /// 429
        public static let tooManyUsers = "Too many connected users"
        /// 429
        public static let tooManyJoins = "Too many joins per second"
    }

    /// Reasons in an error reply to `phx_join`.
    public enum Join {
        public static func expired(secondsAgo: Int64) -> String {
            "InvalidJWTToken: Token has expired \(secondsAgo) seconds ago"
        }
        public static func unauthorized(subTopic: String) -> String {
            "Unauthorized: You do not have permissions to read from this Channel topic: \(subTopic)"
        }
        public static let privateOnly = "PrivateOnly: This project only allows private channels"
        /// The Python client waits 30 s after this and the other `...RateLimitReached` reasons.
        public static let tooManyChannels = "ChannelRateLimitReached: Too many channels"
        /// The socket is closed with 1001 afterwards.
        public static let tooManyJoins = "ClientJoinRateLimitReached: Too many joins per second"
        public static let poolExhausted = "IncreaseConnectionPool: Please increase your connection pool size"
        public static let databaseUnreachable =
            "UnableToConnectToProject: Realtime was unable to connect to the project database"
        public static func queryCanceled(_ detail: String) -> String { "QueryCanceled: \(detail)" }
        public static let restarting = "RealtimeRestarting: Realtime is restarting, please standby"
        public static let invalidReplay = "UnableToReplayMessages: Replay params are not valid"
        public static let topicRequired = "TopicNameRequired: You must provide a topic name"
        public static let unknown = "Unknown Error on Channel"
        public static func unknown(_ detail: String) -> String { "UnknownErrorOnChannel: \(detail)" }
    }

    /// Reasons in error replies to other events.
    public enum Reply {
        /// The topic has no `realtime:` prefix, or the channel is not joined.
        public static let unmatchedTopic = "unmatched topic"
        public static let payloadTooLarge = "payload_size_exceeded"
        public static let restarting = "Realtime is restarting, please standby"
        public static let presenceNotMap = "Presence track payload must be a map"
        public static let presenceOfAnother = "The presence key is another user's id; leave it out, or use your own"
        public static let presenceRefused =
            "The key is too long, or there is no room for another presence of yours on this topic"
    }

    /// Messages of `system` events. Those with status error are followed by `phx_close`, unless noted.
    public enum System {
        public static func expired(secondsAgo: Int64) -> String { "Token has expired \(secondsAgo) seconds ago" }
        public static func noPermission(subTopic: String) -> String {
            "You do not have permissions to read from this Channel topic: \(subTopic)"
        }
        public static func permissionLost(subTopic: String) -> String {
            "You no longer have permission to read from this Channel topic: \(subTopic)"
        }
        public static let tooManyMessages = "Too many messages per second"
        public static let presenceRateLimit = "Client presence rate limit exceeded"
        public static let presenceTooLarge = "Track message size exceeded"
        /// No close follows. `parameters` describe the subscription: see ``PostgresChangesRequest/summary``.
        public static func noPostgresChanges(_ parameters: String) -> String {
            "Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given "
                + "connect parameters: \(parameters)"
        }
    }

    /// Names in the `extension` member of `system` events.
    public enum Extension {
        public static let postgresChanges = "postgres_changes"
    }
}
