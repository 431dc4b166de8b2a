internal import FoundationEssentials
public import ParleyCore
internal import PostgresClient
internal import Support
internal import WebServer

/// The WebSocket service: every socket of this worker, its channels, and the fan-out of the log.
///
/// It runs on the thread of the event loop and nowhere else. The server calls it synchronously; answers of the database
/// come back through `EventLoop.execute`, in bursts; the tail awaits `apply`, which is its back-pressure. All protocol
/// is in `SocketSession`, all routing in `MembershipIndex`; what is here carries their actions out.
public actor RealtimeService {
    /// Checks a token against the time given in Unix seconds.
    public typealias Verify = @Sendable (_ token: String, _ now: Int64) -> Result<SessionToken, TokenRefusal>

    nonisolated let loop: EventLoop
    public nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }

    let configuration: RealtimeConfiguration
    let pool: PostgresPool
    let schema: SchemaCacheStore
    let transactions: CommandTransaction
    let verify: Verify
    let limiter: UserLimiter
    let access: AccessLog?
    let log: Log
    /// Milliseconds since 1970.
    let clock: @Sendable () -> Int64

    var connections = ConnectionTable()
    var index = MembershipIndex()
    var gate = JoinGate()
    var expiry: ExpiryWheel<ChannelID>
    var presence: [Topic: PresenceTable] = [:]
    /// Where a channel is tracked.
    var tracked: [ChannelID: Topic] = [:]
    /// Presences of silent sockets, which are not shown.
    var away: [ChannelID: AwayPresence] = [:]
    var presenceRefs: PresenceRefs
    var typing = TypingTable()
    var focus = FocusTable()
    /// A batch of leases is on its way.
    var focusIsBusy = false
    /// The sockets of each user, in the order they came.
    var socketsByUser: [UUID: [UInt32]] = [:]
    var discretion = Discretion()
    var broadcasts: BroadcastBudget
    /// Why frames were refused since the last line about it.
    var refusedFrames: [String: Int] = [:]
    /// The same of joins.
    var refusedJoins: [String: Int] = [:]
    /// Commands that wait behind a running one of the same socket and subject; an entry exists while one runs.
    var waitingCommands: [CommandKey: [WaitingCommand]] = [:]
    /// Commands that run or wait, of all sockets.
    var acceptedCommands = 0
    var shapes = CommandShapes()
    var batcher = CommandBatcher()
    /// The commands that the batcher has, by their numbers.
    var turns: [Int: SocketTurn] = [:]
    var turnNumber = 0
    /// Since when the oldest command waits for a transaction; nil if none does. Any thread.
    nonisolated let waitingSince = Locked(Int64?.none)
    var upgrades: TokenBucket
    var keys = SharedTokens()
    var tailIsLive = false
    /// Since the start, at least once; before, no socket is accepted.
    var wasLive = false
    var draining = false
    var metrics = RealtimeMetrics()

    /// - Parameters:
    ///   - loop: of the web server whose sockets these are.
    ///   - pool: for joins and commands; its user may run the worker's functions and take the API roles.
    ///   - schema: by which commands are planned.
    ///   - verify: checks tokens without I/O.
    ///   - clock: milliseconds since 1970.
    init(
        loop: EventLoop, pool: PostgresPool, schema: SchemaCacheStore, configuration: RealtimeConfiguration,
        verify: @escaping Verify, limiter: UserLimiter? = nil, access: AccessLog? = nil, log: Log,
        clock: @escaping @Sendable () -> Int64 = Clock.unixMilliseconds
    ) {
        self.loop = loop
        self.pool = pool
        self.schema = schema
        self.transactions = CommandTransaction(
            schema: schema.name, lockTimeout: configuration.lockTimeout,
            sharedLockTimeout: configuration.sharedLockTimeout)
        self.configuration = configuration
        self.verify = verify
        self.limiter = limiter ?? UserLimiter(pool: pool, log: log)
        self.access = access
        self.log = log
        self.clock = clock
        let now = clock()
        self.expiry = ExpiryWheel(now: now / 1000)
        self.presenceRefs = PresenceRefs(seed: .random(in: 0 ... .max))
        self.broadcasts = BroadcastBudget(limits: configuration.broadcasts)
        self.upgrades = TokenBucket(rate: configuration.upgradesPerSecond, burst: configuration.upgradeBurst)
    }

    /// Starts the one timer of the service. To be called once, when the server starts.
    public nonisolated func start() {
        self.loop.schedule(every: .seconds(1)) { [weak self] in
            guard let self else { return }
            self.assumeIsolated { $0.tick() }
        }
    }

    /// A copy of the counters.
    public func currentMetrics() -> RealtimeMetrics {
        var metrics = self.metrics
        metrics.channels = self.index.count
        metrics.commands = self.acceptedCommands
        return metrics
    }

    // MARK: What every part needs

    func context() -> SessionContext {
        SessionContext(
            now: self.clock(), steady: Clock.steadyNanoseconds(), limits: self.configuration.limits,
            database: self.tailIsLive ? .ready : .unreachable, reserved: self.schema.reserved,
            draining: self.draining)
    }

    func check(_ context: SessionContext) -> TokenCheck {
        { token in self.verify(token, context.now / 1000) }
    }

    /// Runs `work` on the loop; for callbacks of other threads.
    nonisolated func onLoop(_ work: @escaping @Sendable (isolated RealtimeService) -> Void) {
        self.loop.execute { self.assumeIsolated { work($0) } }
    }

    private func tick() {
        let context = self.context()
        self.endTyping(self.typing.expire(now: context.steady))
        self.watchPresences()
        self.reportRefusals()
        self.renewFocus(now: context.steady)
        self.discretion.keep(self.isFollowed)
        let seconds = context.now / 1000
        let due = self.expiry.advance(to: seconds) { id in
            guard let connection = self.connections[id.slot] else { return nil }
            if id.serial == 0 {
                // However a socket comes to be without a channel, it is seen within that time.
                guard connection.session.channels.isEmpty else { return seconds + context.limits.secondsWithoutChannel }
                return connection.session.emptySince + context.limits.secondsWithoutChannel
            }
            return connection.session.channel(id)?.expiresAt
        }
        for id in due {
            guard let connection = self.connections[id.slot] else { continue }
            if id.serial == 0 {
                if connection.session.isAbandoned(context: context) {
                    connection.socket.close(code: 1000, reason: "no channel joined")
                }
            } else {
                self.perform(connection.session.expire(id, context: context), for: connection)
            }
        }
    }
}
