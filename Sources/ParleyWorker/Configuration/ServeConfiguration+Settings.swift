internal import Support

extension ServeConfiguration {
    /// The shortest HMAC key that HS256 may be used with (RFC 7518 section 3.2: the size of the hash).
    public static let shortestSecretBytes = 32

    /// The settings of `parley serve`.
    public static var settings: SettingTable<ServeConfiguration> {
        SettingTable(
            defaults: ServeConfiguration(), Self.rows(ServeConfiguration()),
            check: { options throws(ConfigurationError) in try options.resolve() })
    }

    /// The rows of ``settings``, for commands that accept the same ones.
    public static func rows(_ defaults: ServeConfiguration) -> [Setting<ServeConfiguration>] {
        Self.databaseRows(defaults) + Self.addressRows(defaults) + Self.tokenRows(defaults)
            + Self.pushRows(defaults) + Self.limitRows(defaults)
    }

    private static func databaseRows(_ defaults: ServeConfiguration) -> [Setting<ServeConfiguration>] {
        [
            Setting(
                "database-url", environment: "PARLEY_DATABASE_URL", \.databaseURL, .databaseURL, defaults: defaults,
                secret: true, help: "The Postgres to serve, as a login that is a member of parley_worker."),
            Setting(
                "listen-database-url", environment: "PARLEY_LISTEN_DATABASE_URL", \.listenDatabaseURL,
                .databaseURL, defaults: defaults, secret: true,
                help: "A direct connection for LISTEN when database-url leads through a transaction pooler."),
            Setting(
                "poll-only", environment: "PARLEY_POLL_ONLY", \.pollOnly, .flag, defaults: defaults,
                help: "Never LISTEN: poll the event log all the time. For poolers without a direct connection."),
            Setting(
                "db-pool-size", environment: "PARLEY_DB_POOL_SIZE", \.databasePoolSize, .integer("n", 1...200),
                defaults: defaults, help: "Connections for requests; the event log uses one more."),
            Setting(
                "db-queue-size", environment: "PARLEY_DB_QUEUE_SIZE", \.databaseQueueSize, .integer("n", 1...100_000),
                defaults: defaults, help: "Requests that may wait for the pool; one more is answered 503."),
            Setting(
                "statement-timeout", environment: "PARLEY_STATEMENT_TIMEOUT", \.statementTimeout,
                .duration(.milliseconds(100) ... .seconds(300)), defaults: defaults,
                help: "The longest a request's statement may run in the database. "
                    + "Every answer comes within 8s, whatever is said here."),
            Setting(
                "lock-timeout", environment: "PARLEY_LOCK_TIMEOUT", \.lockTimeout,
                .duration(.milliseconds(10) ... .seconds(300)), defaults: defaults,
                help: "The longest a request waits for another transaction's lock. After that it is answered 503 "
                    + "and may be sent again."),
        ]
    }

    private static func addressRows(_ defaults: ServeConfiguration) -> [Setting<ServeConfiguration>] {
        [
            Setting(
                "host", environment: "PARLEY_HOST", \.host, .text("address", "a local address or host name"),
                defaults: defaults, help: "The address to listen on; 0.0.0.0 or :: for all."),
            Setting(
                "port", environment: "PARLEY_PORT", \.port, .integer("port", 0...65535), defaults: defaults,
                help: "The port to listen on; 0 picks a free one."),
            Setting(
                "tls-cert", environment: "PARLEY_TLS_CERT", \.tlsCertificate,
                .text("file", "the path of a PEM file"), defaults: defaults,
                help: "Certificate chain in PEM; with tls-key the server speaks TLS."),
            Setting(
                "tls-key", environment: "PARLEY_TLS_KEY", \.tlsKey, .text("file", "the path of a PEM file"),
                defaults: defaults, help: "Private key in PEM."),
            Setting(
                "web", environment: "PARLEY_WEB", \.web, .text("folder", "the folder of the web client"),
                defaults: defaults, help: "Serve the web client in this folder at /. Clients/javascript is one."),
        ]
    }

    private static func tokenRows(_ defaults: ServeConfiguration) -> [Setting<ServeConfiguration>] {
        let secret = SettingKind<String>(
            placeholder: "secret", accepted: "at least \(Self.shortestSecretBytes) bytes of secret text",
            parse: { $0.utf8.count >= Self.shortestSecretBytes ? $0 : nil }, format: { $0 })
        return [
            Setting(
                "jwt-secret", environment: "PARLEY_JWT_SECRET", \.jwtSecret, secret, defaults: defaults,
                secret: true,
                help: "The secret that HS256 tokens are signed with. Prefer the environment or a file: others can read "
                    + "command lines."
            ),
            Setting(
                "jwt-secret-file", environment: "PARLEY_JWT_SECRET_FILE", \.jwtSecretFile,
                .text("file", "the path of a file that holds the secret"), defaults: defaults,
                help: "A file that holds the secret; white space at its ends is not part of it."),
            Setting(
                "jwks", environment: "PARLEY_JWKS", \.jwks, Self.keySetSource, defaults: defaults,
                help:
                    "JSON Web Key Set for RS256, ES256 and EdDSA tokens: a file, or a URL that is fetched again when a "
                    + "token names an unknown key."
            ),
            Setting(
                "jwks-ca", environment: "PARLEY_JWKS_CA", \.jwksCA, .text("file", "the path of a PEM file"),
                defaults: defaults,
                help: "Certificate authority to trust for the key set's URL, in place of the system's."
            ),
            Setting(
                "jwt-issuer", environment: "PARLEY_JWT_ISSUER", \.jwtIssuer,
                .text("iss", "the exact iss claim"), defaults: defaults,
                help: "Refuse tokens whose iss claim is another."),
            Setting(
                "jwt-audience", environment: "PARLEY_JWT_AUDIENCE", \.jwtAudience,
                .text("aud", "the exact aud claim"), defaults: defaults,
                help: "Refuse tokens whose aud claim is not, or does not contain, this."),
        ]
    }

    private static func pushRows(_ defaults: ServeConfiguration) -> [Setting<ServeConfiguration>] {
        [
            Setting(
                "push", environment: "PARLEY_PUSH", \.push, .text("file", "the path of a JSON file"),
                defaults: defaults,
                help: "Delivers push notifications by this file, which names providers and the files of their keys.")
        ]
    }

    private static func limitRows(_ defaults: ServeConfiguration) -> [Setting<ServeConfiguration>] {
        [
            Setting(
                "max-connections", environment: "PARLEY_MAX_CONNECTIONS", \.maxConnections,
                .integer("n", 1...1_000_000),
                defaults: defaults,
                help: "Open sockets; the next one is answered 429. A quarter is kept for addresses of known users."),
            Setting(
                "max-connections-per-address", environment: "PARLEY_MAX_CONNECTIONS_PER_ADDRESS",
                \.maxConnectionsPerAddress, .integer("n", 0...1_000_000), defaults: defaults,
                help: "Connections of one address without a known user; the next one is answered 429. 0 for no limit, "
                    + "behind a proxy that hides addresses."),
            Setting(
                "max-connections-per-user", environment: "PARLEY_MAX_CONNECTIONS_PER_USER", \.maxConnectionsPerUser,
                .integer("n", 0...1_000_000), defaults: defaults,
                help: "Connections of one user; the next socket is closed when it joins. 0 for no limit."),
            Setting(
                "max-channels", environment: "PARLEY_MAX_CHANNELS", \.maxChannels, .integer("n", 1...10_000),
                defaults: defaults, help: "Channels that one connection may join."),
            Setting(
                "max-message-bytes", environment: "PARLEY_MAX_MESSAGE_BYTES", \.maxMessageBytes,
                .bytes(1024...64 * 1024 * 1024), defaults: defaults,
                help: "The largest message or request body a client may send."),
            Setting(
                "max-queue-bytes", environment: "PARLEY_MAX_QUEUE_BYTES", \.maxQueueBytes,
                .bytes(16 * 1024...1024 * 1024 * 1024), defaults: defaults,
                help: "Bytes that may wait for one connection. A slower client is closed and catches up later."),
            Setting(
                "max-held-bytes", environment: "PARLEY_MAX_HELD_BYTES", \.maxHeldBytes,
                .bytes(16 * 1024 * 1024...64 * 1024 * 1024 * 1024), defaults: defaults,
                help: "What all connections hold together, unread or unfinished. Beyond it slow ones are closed and "
                    + "requests are answered 503."),
            Setting(
                "ping-interval", environment: "PARLEY_PING_INTERVAL", \.pingInterval,
                .duration(.seconds(1) ... .seconds(3600)), defaults: defaults,
                help: "How often a socket is sent a ping; at least three times within the idle timeout."),
            Setting(
                "idle-timeout", environment: "PARLEY_IDLE_TIMEOUT", \.idleTimeout,
                .duration(.seconds(5) ... .seconds(3600)), defaults: defaults,
                help: "A socket from which no frame came for so long is closed; the answer to a ping is one."),
            Setting(
                "join-timeout", environment: "PARLEY_JOIN_TIMEOUT", \.joinTimeout,
                .duration(.seconds(1) ... .seconds(3600)), defaults: defaults,
                help: "A socket that has joined no channel after this time is closed."),
            Setting(
                "client-events-per-second", environment: "PARLEY_CLIENT_EVENTS_PER_SECOND", \.clientEventsPerSecond,
                .integer("n", 1...100_000), defaults: defaults, help: "Messages one connection may send per second."),
            Setting(
                "client-joins-per-second", environment: "PARLEY_CLIENT_JOINS_PER_SECOND", \.clientJoinsPerSecond,
                .integer("n", 1...100_000), defaults: defaults, help: "Channels one connection may join per second."),
            Setting(
                "user-broadcast-bytes-per-second", environment: "PARLEY_USER_BROADCAST_BYTES_PER_SECOND",
                \.userBroadcastBytesPerSecond, .bytes(0...1024 * 1024 * 1024), defaults: defaults,
                help: "Broadcasts of one user, over all connections and HTTP; 1 KiB is added to each. 0 for no limit."),
            Setting(
                "topic-broadcast-bytes-per-second", environment: "PARLEY_TOPIC_BROADCAST_BYTES_PER_SECOND",
                \.topicBroadcastBytesPerSecond, .bytes(0...1024 * 1024 * 1024), defaults: defaults,
                help: "Broadcasts to one topic, of all users together. 0 for no limit."),
            Setting(
                "export-folder", environment: "PARLEY_EXPORT_FOLDER", \.exportFolder,
                .text("folder", "the path of a folder"), defaults: defaults,
                help: "Where this worker writes the exports that users ask for; without it, it writes none."),
            Setting(
                "log-level", environment: "PARLEY_LOG_LEVEL", \.logLevel, .logLevel, defaults: defaults,
                help: "The least important lines to log: debug, info, warning or error."),
            Setting(
                "access-log-percent", environment: "PARLEY_ACCESS_LOG_PERCENT", \.accessLogPercent,
                .integer("n", 0...100), defaults: defaults,
                help: "Of requests that go well, how many of a hundred are logged; those that fail here always are."),
            Setting(
                "slow-request", environment: "PARLEY_SLOW_REQUEST", \.slowRequest,
                .duration(.milliseconds(1) ... .seconds(600)), defaults: defaults,
                help: "A request that takes longer is logged as slow, with what it asked for and its time."),
            Setting(
                "log-folder", environment: "PARLEY_LOG_FOLDER", \.logFolder, .text("folder", "the path of a folder"),
                defaults: defaults,
                help: "Where logs are written, a file for each record and day; without it, to standard error."),
            Setting(
                "log-days", environment: "PARLEY_LOG_DAYS", \.logDays, .integer("n", 1...3650), defaults: defaults,
                help: "Days that files of the application record are kept."),
            Setting(
                "access-log-days", environment: "PARLEY_ACCESS_LOG_DAYS", \.accessLogDays, .integer("n", 1...3650),
                defaults: defaults, help: "Days that files of the access record are kept."),
            Setting(
                "error-log-days", environment: "PARLEY_ERROR_LOG_DAYS", \.errorLogDays, .integer("n", 1...3650),
                defaults: defaults, help: "Days that files of the error record are kept."),
            Setting(
                "drain-seconds", environment: "PARLEY_DRAIN_SECONDS", \.drainTime,
                .duration(.zero ... .seconds(600)), defaults: defaults,
                help: "Time that a stopping worker takes to finish its open requests."),
        ]
    }

    /// A path, an https URL, or an http URL on the loopback.
    static var keySetSource: SettingKind<String> {
        SettingKind(
            placeholder: "file or url", accepted: "a file path, an https:// URL, or an http:// URL on localhost",
            parse: { KeySetSource($0) == nil ? nil : $0 }, format: { $0 })
    }

    /// Decides what no single setting can: the parts that need each other, and the secret's file.
    mutating func resolve() throws(ConfigurationError) {
        guard !self.databaseURL.isEmpty else {
            throw ConfigurationError(
                .missing, setting: "--database-url (PARLEY_DATABASE_URL)",
                "is needed; give a URL like postgresql://user:password@host:5432/database")
        }
        if (self.tlsCertificate == nil) != (self.tlsKey == nil) {
            throw ConfigurationError(
                .missing, setting: self.tlsKey == nil ? "--tls-key" : "--tls-cert",
                "is needed: TLS takes both --tls-cert and --tls-key")
        }
        try self.readSecretFile()
        guard self.jwtSecret != nil || self.jwks != nil else {
            throw ConfigurationError(
                .missing, setting: "--jwt-secret (PARLEY_JWT_SECRET) or --jwks (PARLEY_JWKS)",
                "one of them is needed to verify tokens")
        }
    }

    /// Puts the secret of ``jwtSecretFile``, if one is named, into ``jwtSecret``.
    public mutating func readSecretFile() throws(ConfigurationError) {
        guard let path = self.jwtSecretFile else { return }
        guard self.jwtSecret == nil else {
            throw ConfigurationError(
                .invalid, setting: "--jwt-secret-file", "give either this or --jwt-secret, not both")
        }
        guard let text = FileText.string(of: path) else {
            throw ConfigurationError(.invalid, setting: "--jwt-secret-file", "'\(path)' is not a readable text file")
        }
        let secret = text.trimmed
        guard secret.utf8.count >= Self.shortestSecretBytes else {
            throw ConfigurationError(
                .invalid, setting: "--jwt-secret-file",
                "the secret in '\(path)' is too short; it takes at least \(Self.shortestSecretBytes) bytes")
        }
        self.jwtSecret = secret
    }
}

extension String {
    /// Without white space at its ends.
    var trimmed: String {
        var view = self[...]
        while view.first?.isWhitespace == true { view.removeFirst() }
        while view.last?.isWhitespace == true { view.removeLast() }
        return String(view)
    }
}
