import FoundationEssentials
import Support
import Testing

@testable import ParleyWorker

@Suite struct ServeConfigurationTests {
    private static let secret = String(repeating: "s", count: 32)
    private static let base = ["--database-url", "postgresql://u@h/d", "--jwt-secret", secret]

    private func parse(
        _ arguments: [String] = [], environment: [String: String] = [:]
    ) throws(ConfigurationError) -> ServeConfiguration {
        try ServeConfiguration.settings.parse(arguments: Self.base + arguments, environment: environment)
    }

    private func error(_ arguments: [String], _ environment: [String: String] = [:]) -> ConfigurationError? {
        do throws(ConfigurationError) {
            _ = try ServeConfiguration.settings.parse(arguments: arguments, environment: environment)
            return nil
        } catch {
            return error
        }
    }

    @Test func readsFlagsInBothForms() throws {
        let configuration = try self.parse(["--port", "5000", "--host=0.0.0.0", "--poll-only", "--drain-seconds=2m"])
        #expect(configuration.port == 5000)
        #expect(configuration.host == "0.0.0.0")
        #expect(configuration.pollOnly)
        #expect(configuration.drainTime == .seconds(120))
        #expect(configuration.databaseURL == "postgresql://u@h/d")
        #expect(configuration.jwtSecret == Self.secret)
    }

    @Test func readsTheEnvironmentAndLetsFlagsWin() throws {
        let environment = [
            "PARLEY_PORT": "5000", "PARLEY_LOG_LEVEL": "debug", "PARLEY_POLL_ONLY": "no", "PARLEY_HOST": "",
        ]
        let configuration = try self.parse(["--port", "6000"], environment: environment)
        #expect(configuration.port == 6000)
        #expect(configuration.logLevel == .debug)
        #expect(!configuration.pollOnly)
        #expect(configuration.host == "127.0.0.1")
    }

    @Test(arguments: [
        ("port", "abc", "a whole number from 0 to 65535"), ("port", "65536", "65535"), ("port", "-1", "65535"),
        ("port", " 1", "65535"), ("db-pool-size", "0", "from 1"), ("log-level", "loud", "debug, info, warning, error"),
        ("max-message-bytes", "1", "1024"), ("max-message-bytes", "1TB", "64KiB"),
        ("max-message-bytes", "99999999999GiB", "64KiB"), ("idle-timeout", "1s", "5s"),
        ("idle-timeout", "99999999999999999h", "1h"), ("idle-timeout", "soon", "10s"),
        ("statement-timeout", "1ms", "100ms"), ("poll-only", "maybe", "true or false"), ("host", "", "local address"),
        ("database-url", "mysql://h/d", "postgresql://"), ("jwks", "http://example.com/keys", "https://"),
        ("jwks", "http://localhost:1@example.com/keys", "https://"), ("jwks", "ftp://localhost/keys", "https://"),
    ])
    func refusesWrongValuesByName(flag: String, value: String, accepted: String) throws {
        let setting = try #require(ServeConfiguration.rows(ServeConfiguration()).first { $0.flag == flag })
        let error = try #require(self.error(["--\(flag)=\(value)"]))
        #expect(error.code == .invalid && error.setting == "--\(flag)")
        #expect(error.message.contains(accepted))
        if let environment = setting.environment, !value.isEmpty {
            let error = try #require(self.error([], [environment: value]))
            #expect(error.code == .invalid && error.setting == environment)
        }
    }

    @Test func neverRepeatsSecrets() throws {
        for (flag, value) in [("jwt-secret", "hunter2"), ("database-url", "hunter2:password@host")] {
            let error = try #require(self.error(["--\(flag)", value]))
            #expect(!error.description.contains("hunter2"))
        }
        let unknown = try #require(self.error(["--jwt-secrt=hunter2"]))
        #expect(
            unknown.code == .unknown && unknown.setting == "--jwt-secrt" && !unknown.description.contains("hunter2"))
    }

    @Test(arguments: [["serve"], ["-p", "1"], ["--"], [""], ["---port=1"], ["--PORT", "1"]])
    func refusesUnknownArguments(arguments: [String]) {
        #expect(self.error(Self.base + arguments)?.code == .unknown)
    }

    @Test func requiresWhatCannotBeGuessed() {
        #expect(self.error([])?.setting.contains("PARLEY_DATABASE_URL") == true)
        #expect(self.error(["--database-url", "postgresql://h/d"])?.setting.contains("PARLEY_JWT_SECRET") == true)
        #expect(self.error(["--port"])?.code == .missing)
        #expect(self.error(Self.base + ["--tls-cert", "a.pem"])?.setting == "--tls-key")
        #expect(self.error(Self.base + ["--tls-key", "a.pem"])?.setting == "--tls-cert")
        #expect(self.error(["--database-url", "postgresql://h/d", "--jwks", "keys.json"]) == nil)
    }

    @Test func readsTheSecretFromAFile() throws {
        let path = FileManager.default.temporaryDirectory.path + "/parley-secret-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let arguments = ["--database-url", "postgresql://h/d", "--jwt-secret-file", path]
        #expect(self.error(arguments)?.message.contains("readable") == true)
        try Data("  \(Self.secret)\r\n\n".utf8).write(to: URL(filePath: path))
        let configuration = try ServeConfiguration.settings.parse(arguments: arguments, environment: [:])
        #expect(configuration.jwtSecret == Self.secret)
        #expect(self.error(arguments + ["--jwt-secret", Self.secret])?.setting == "--jwt-secret-file")
        try Data("short\n".utf8).write(to: URL(filePath: path))
        let short = try #require(self.error(arguments))
        #expect(short.message.contains("32 bytes") && !short.message.contains("'short'"))
    }

    /// Every setting has a default that its own parser reads back, a help text, and names that follow from one another.
    @Test(arguments: ServeConfiguration.rows(ServeConfiguration()).map(\.flag))
    func describesEverySetting(flag: String) throws {
        let setting = try #require(ServeConfiguration.rows(ServeConfiguration()).first { $0.flag == flag })
        #expect(setting.environment == "PARLEY_" + flag.uppercased().split(separator: "-").joined(separator: "_"))
        #expect(setting.help.hasSuffix("."))
        #expect(ServeConfiguration.settings.help.contains("--\(flag)"))
        if !setting.fallback.isEmpty {
            var options = ServeConfiguration()
            #expect(setting.apply(&options, setting.fallback))
        }
    }

    @Test func keepsHelpNarrow() {
        let lines = ServeConfiguration.settings.help.split(separator: "\n")
        #expect(lines.allSatisfy { $0.count <= 100 })
        #expect(Set(ServeConfiguration.rows(ServeConfiguration()).map(\.flag)).count * 2 <= lines.count)
    }

    @Test(arguments: [
        (Duration.zero, "0s"), (.milliseconds(1500), "1500ms"), (.seconds(10), "10s"), (.seconds(60), "1m"),
        (.seconds(7200), "2h"),
    ])
    func showsTimesAsTheyAreTyped(time: Duration, text: String) {
        let kind = SettingKind<Duration>.duration(.zero ... .seconds(86400))
        #expect(kind.format(time) == text)
        #expect(kind.parse(text) == time)
    }

    @Test func readsBytesAndTimesWithUnits() {
        let bytes = SettingKind<Int>.bytes(0...Int.max)
        #expect(bytes.parse("64KiB") == 65536)
        #expect(bytes.parse("2MiB") == 2 * 1024 * 1024)
        #expect(bytes.parse("12") == 12)
        #expect(bytes.parse("KiB") == nil && bytes.parse("-1") == nil && bytes.parse("1.5MiB") == nil)
        #expect(bytes.format(65536) == "64KiB" && bytes.format(1000) == "1000" && bytes.format(0) == "0")
        #expect(SettingKind<Duration>.duration(.zero ... .seconds(100)).parse("7") == .seconds(7))
    }
}
