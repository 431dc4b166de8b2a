internal import HTTPClient
internal import ParleyCore
internal import PostgresClient
internal import Support

/// Asks the services of spam rules about messages that were sent.
///
/// What to ask, and what becomes of an answer or of none, is decided in the database (`sql/functions/outside`). A message
/// that is taken here and not answered, because this worker ends, is taken by another after a minute.
struct SpamChecker: Service {
    let name = "spam-checker"
    /// Messages that are taken at a time, and so the most that wait here.
    private static let most = 50
    /// Texts that a classifier is asked about side by side.
    private static let sideBySide = 8
    private static let period = Duration.seconds(1)

    private let pool: PostgresPool
    private let log: Log
    private let secure: HTTPSession
    /// For services on this machine.
    private let local: HTTPSession
    private let breakers = Locked<[String: CircuitBreaker]>([:])
    private let start = ContinuousClock.now

    init(pool: PostgresPool, log: Log) {
        self.pool = pool
        self.log = log
        var configuration = HTTPConfiguration(
            connectTimeout: .seconds(3), timeout: .seconds(5), maxBodyBytes: 1024 * 1024)
        self.secure = HTTPSession(configuration)
        configuration.allowsCleartext = true
        self.local = HTTPSession(configuration)
    }

    func run() async throws {
        defer {
            self.secure.shutdown()
            self.local.shutdown()
        }
        while true {
            try Task.checkCancellation()
            if await self.round() < Self.most { try await Task.sleep(for: Self.period) }
        }
    }

    /// - Returns: how many messages were taken.
    private func round() async -> Int {
        guard let rows = await self.write([Statement(SpamCheck.claim, [String(Self.most)])])?[0].rows else { return 0 }
        let checks = Dictionary(grouping: rows.map { SpamCheck($0) }, by: \.rule)
        await withDiscardingTaskGroup { group in
            for (rule, checks) in checks { group.addTask { await self.ask(rule, checks) } }
        }
        return rows.count
    }

    private func ask(_ rule: String, _ checks: [SpamCheck]) async {
        let urls = checks.flatMap { check in if case .links(let urls) = check.question { urls } else { [String]() } }
        if !urls.isEmpty {
            await self.askAboutLinks(rule, checks, Array(Set(urls)).sorted())
            return
        }
        await withDiscardingTaskGroup { group in
            for lane in 0..<Self.sideBySide {
                group.addTask {
                    for index in stride(from: lane, to: checks.count, by: Self.sideBySide) {
                        await self.askAboutText(checks[index])
                    }
                }
            }
        }
    }

    private func askAboutLinks(_ rule: String, _ checks: [SpamCheck], _ urls: [String]) async {
        for first in stride(from: 0, to: urls.count, by: LinkSafety.mostURLs) {
            let some = Array(urls[first..<min(first + LinkSafety.mostURLs, urls.count)])
            let body = LinkSafety.request(some, clientVersion: Version.current)
            let query = checks[0].key.map { "?key=" + Self.encoded($0) } ?? ""
            guard
                let answer = await self.post(rule, checks[0].url + query, [], body),
                let warnings = self.understood(rule, LinkSafety.warnings(answer))
            else {
                for check in checks { _ = await self.write([check.failed]) }
                return
            }
            guard await self.write([SpamCheck.noted(rule: rule, some, warnings)]) != nil else { return }
        }
        for check in checks { _ = await self.write([check.answered()]) }
    }

    private func askAboutText(_ check: SpamCheck) async {
        guard case .text(let content) = check.question else { return }
        let headers = check.key.map { [("authorization", "Bearer " + $0)] } ?? []
        guard
            let answer = await self.post(check.rule, check.url, headers, TextClassifier.request(content)),
            let confidence = self.understood(check.rule, TextClassifier.confidence(answer))
        else {
            _ = await self.write([check.failed])
            return
        }
        _ = await self.write([check.answered(confidence: confidence)])
    }

    // MARK: The service

    /// - Returns: the body of a 200; nil for all else, or while the service is given a rest.
    private func post(
        _ rule: String, _ url: String, _ headers: [(name: String, value: String)], _ body: [UInt8]
    ) async -> [UInt8]? {
        let now = ContinuousClock.now - self.start
        guard self.breakers.withLock({ $0[rule, default: CircuitBreaker()].allows(now: now) }) else { return nil }
        // The same as for key sets: https, or a service on this machine.
        guard case .url = KeySetSource(url) else {
            self.failed(rule, "its address is neither https nor of this machine")
            return nil
        }
        let session = url.hasPrefix("https://") ? self.secure : self.local
        do throws(HTTPError) {
            let response = try await session.send(
                HTTPSession.Request(.post, url, headers: [("content-type", "application/json")] + headers, body: body))
            guard response.status == 200 else {
                self.failed(rule, "status \(response.status)")
                return nil
            }
            return response.body
        } catch {
            self.failed(rule, "\(error.code)")
            return nil
        }
    }

    private func understood<Answer>(_ rule: String, _ answer: Answer?) -> Answer? {
        guard let answer else {
            self.failed(rule, "the answer cannot be read")
            return nil
        }
        if self.breakers.withLock({ $0[rule, default: CircuitBreaker()].succeeded() }) {
            self.log.info("the service of a spam rule answers again", [("rule", rule)])
        }
        return answer
    }

    private func failed(_ rule: String, _ reason: String) {
        let now = ContinuousClock.now - self.start
        if self.breakers.withLock({ $0[rule, default: CircuitBreaker()].failed(now: now) }) {
            self.log.warning("the service of a spam rule does not answer", [("rule", rule), ("reason", reason)])
        }
    }

    private static func encoded(_ key: String) -> String {
        key.utf8.map { byte in
            let isPlain =
                byte < 128 && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber)
            let digits = String(byte, radix: 16, uppercase: true)
            return isPlain || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                ? String(UnicodeScalar(byte)) : "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }

    // MARK: The database

    private func write(_ statements: [Statement]) async -> [ResultSet]? {
        do throws(PostgresError) {
            return try await self.pool.run(Transaction(statements, timeout: .seconds(10), lane: .upkeep))
        } catch {
            // While the server stops there is nothing to complain of; of a database that takes no changes the tail has told.
            if error.code != .shutdown, error.sqlState != "25006" {
                self.log.warning(
                    "messages could not be checked", [("code", "\(error.code)"), ("sqlstate", error.sqlState ?? "")])
            }
            return nil
        }
    }
}
