public import Crypto
public import Support

/// Verifies the tokens of requests and sockets, and keeps the key set current in the background.
///
/// Verification is synchronous and never waits for a fetch. While a key set cannot be fetched the last good one counts.
public final class TokenVerifier: Service {
    typealias Load = @Sendable () async throws -> [UInt8]

    public let name = "token-verifier"
    private let current: Locked<JWTVerifier>
    private let secret: JWTKey?
    private let policy: JWTPolicy
    /// Nil without a key set.
    private let load: Load?
    private let refresh: Locked<KeySetRefresh>
    private let clock: @Sendable () -> Int64
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let log: Log

    /// Makes the verifier that the configuration asks for and loads its key set.
    ///
    /// A key set at a URL that does not answer is no error: the worker starts with what it has and tries again.
    ///
    /// - Throws: ``ConfigurationError`` for a secret that is too short, or a key set file without a usable key.
    public static func make(_ configuration: ServeConfiguration, log: Log) async throws(ConfigurationError)
        -> TokenVerifier
    {
        var secret: JWTKey?
        if let text = configuration.jwtSecret {
            guard let key = JWTKey(hs256: Array(text.utf8)) else {
                throw ConfigurationError(
                    .invalid, setting: "--jwt-secret (PARLEY_JWT_SECRET)",
                    "the secret is too short; it takes at least \(JWTKey.shortestSecretBytes) bytes")
            }
            secret = key
        }
        let policy = JWTPolicy(issuer: configuration.jwtIssuer, audience: configuration.jwtAudience)
        let source = configuration.jwks.flatMap { KeySetSource($0) }
        let load = source?.loader(certificateAuthority: configuration.jwksCA)
        let verifier = TokenVerifier(secret: secret, policy: policy, load: load, log: log.labelled("auth"))
        if let load, let source {
            let failure = await verifier.reload(load)
            if let failure, case .file = source {
                throw ConfigurationError(.invalid, setting: "--jwks (PARLEY_JWKS)", "\(failure)")
            }
        }
        return verifier
    }

    /// - Parameters:
    ///   - load: reads the key set; the first time when ``run()`` begins, unless `reload` was called.
    ///   - clock: steady seconds.
    init(
        secret: JWTKey?, policy: JWTPolicy, load: Load?, clock: @escaping @Sendable () -> Int64 = Clock.steadySeconds,
        log: Log
    ) {
        self.secret = secret
        self.policy = policy
        self.load = load
        self.clock = clock
        self.log = log
        self.current = Locked(JWTVerifier(keys: JWTKeySet(secret: secret), policy: policy))
        self.refresh = Locked(KeySetRefresh(now: clock(), isLoaded: false))
        (self.wakes, self.wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// What the token says, if it is good now. Any thread.
    ///
    /// - Parameter now: seconds since 1970.
    public func verify(_ token: String, now: Int64 = Clock.unixSeconds()) throws(JWTError) -> VerifiedToken {
        let verifier = self.current.withLock { $0 }
        do throws(JWTError) {
            return try verifier.verify(token, now: now)
        } catch {
            if error.code == .noKey, error.keyID != nil, self.load != nil { self.missedKey() }
            throw error
        }
    }

    /// Keeps the key set current until cancelled.
    public func run() async throws {
        let ticker = Task { [wake] in
            while !Task.isCancelled {
                // Ends with the task.
                try? await Task.sleep(for: .seconds(1))
                wake.yield()
            }
        }
        defer { ticker.cancel() }
        for await _ in self.wakes {
            guard let load = self.load, self.refresh.withLock({ $0.tick(now: self.clock()) }) else { continue }
            await self.reload(load)
        }
    }

    /// Names of the public keys in use, for logs and tests.
    public var keyIDs: [String] { self.current.withLock { $0.keys.keyIDs } }

    private func missedKey() {
        if self.refresh.withLock({ $0.unknownKey(now: self.clock()) }) { self.wake.yield() }
    }

    /// Loads the set once; nil if it is in use now, else why not.
    @discardableResult
    private func reload(_ load: Load) async -> (any Error)? {
        do {
            let keys = try JWTKeySet(jwks: try await load(), secret: self.secret)
            for error in keys.ignored { self.log.warning("key ignored", [("reason", "\(error)")]) }
            guard !keys.keyIDs.isEmpty else { throw KeySetError("the key set has no usable key") }
            let before = self.keyIDs
            self.current.withLock { $0 = JWTVerifier(keys: keys, policy: self.policy) }
            if before != keys.keyIDs {
                self.log.info("key set loaded", [("keys", keys.keyIDs.joined(separator: ", "))])
            }
            self.refresh.withLock { $0.fetched(now: self.clock(), succeeded: true) }
            return nil
        } catch {
            self.log.error("key set not loaded, keeping the last one", [("error", "\(error)")])
            self.refresh.withLock { $0.fetched(now: self.clock(), succeeded: false) }
            return error
        }
    }
}
