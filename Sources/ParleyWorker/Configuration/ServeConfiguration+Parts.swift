internal import ParleyCore
internal import PostgresClient
public import Support
internal import WebServer

/// What each part of the worker is told.
extension ServeConfiguration {
    var server: ServerConfiguration {
        var server = ServerConfiguration(host: self.host, port: self.port)
        // Some room for HTTP beside the sockets, whose own limit answers with words.
        server.maxConnections = self.maxConnections + 256
        server.reservedConnections = server.maxConnections / 4
        server.maxConnectionsPerAddress = self.maxConnectionsPerAddress
        server.maxConnectionsPerUser = self.maxConnectionsPerUser
        server.alwaysServed = HealthRoutes.paths
        server.maxHeldBytes = self.maxHeldBytes
        server.maxAnswerBytes = self.maxAnswerBytes
        server.maxMessageBytes = self.maxMessageBytes
        server.maxBodyBytes = self.maxMessageBytes
        server.maxQueuedBytes = self.maxQueueBytes
        server.idleTimeout = self.idleTimeout
        server.pingInterval = min(self.pingInterval, self.idleTimeout / 3)
        server.attentivePingInterval = min(.seconds(10), self.idleTimeout / 9)
        server.establishTimeout = self.joinTimeout
        if let certificate = self.tlsCertificate, let key = self.tlsKey {
            server.tls = .init(certificatePath: certificate, keyPath: key)
        }
        return server
    }

    /// A separate address for LISTEN, or polling only, says that the other one is a pooler in transaction mode: the
    /// next transaction may meet another session, which knows nothing of statements prepared before.
    private var isPooled: Bool { self.pollOnly || self.listenDatabaseURL != nil }

    func postgres(_ applicationName: String) -> PostgresConfiguration {
        var postgres = PostgresConfiguration(url: self.databaseURL, applicationName: applicationName)
        postgres.preparedStatements = !self.isPooled
        return postgres
    }

    var tail: PostgresConfiguration {
        var postgres = PostgresConfiguration(
            url: self.listenDatabaseURL ?? self.databaseURL, applicationName: "parley tail")
        postgres.preparedStatements = !self.pollOnly
        return postgres
    }

    var realtime: RealtimeConfiguration {
        var realtime = RealtimeConfiguration()
        realtime.maxConnections = self.maxConnections
        realtime.limits.maxChannels = self.maxChannels
        realtime.limits.joinsPerSecond = Double(self.clientJoinsPerSecond)
        realtime.limits.joinBurst = max(realtime.limits.joinBurst, self.clientJoinsPerSecond)
        realtime.limits.eventsPerSecond = Double(self.clientEventsPerSecond)
        realtime.limits.eventBurst = max(realtime.limits.eventBurst, self.clientEventsPerSecond)
        realtime.broadcasts.userBytesPerSecond = self.userBroadcastBytesPerSecond
        realtime.broadcasts.topicBytesPerSecond = self.topicBroadcastBytesPerSecond
        realtime.broadcasts.leastBurst = realtime.limits.maxBroadcastBytes * 4
        // Half of what closes the socket: the other half is for the log.
        realtime.maxReplayQueue = self.maxQueueBytes / 2
        realtime.maxEphemeralQueue = self.maxQueueBytes / 2
        realtime.joinTimeout = min(self.statementTimeout, AnswerTime.longest)
        realtime.commandTimeout = realtime.joinTimeout
        realtime.lockTimeout = self.lockTimeout
        realtime.presenceSilence = min(.seconds(25), self.idleTimeout * 5 / 18)
        return realtime
    }

    /// Each connection of the pool may be receiving an answer of this size, in a buffer of up to twice as much.
    private var maxAnswerBytes: Int { min(self.maxHeldBytes / 8, max(8 << 20, self.maxHeldBytes / 32)) }

    /// The folder that logs go to; nil for standard error.
    public func openLogFolder() throws(ConfigurationError) -> LogFolder? {
        guard let path = self.logFolder else { return nil }
        do throws(LogFolderError) {
            return try LogFolder(
                path, days: [.application: self.logDays, .access: self.accessLogDays, .error: self.errorLogDays])
        } catch {
            throw ConfigurationError(.invalid, setting: "--log-folder (PARLEY_LOG_FOLDER)", error.description)
        }
    }

    var gateway: GatewayConfiguration {
        var gateway = GatewayConfiguration()
        gateway.maxAnswerBytes = self.maxAnswerBytes
        gateway.statementTimeout = min(self.statementTimeout, AnswerTime.longestStatement)
        gateway.lockTimeout = self.lockTimeout
        return gateway
    }
}
