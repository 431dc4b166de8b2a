internal import ParleyWorker
internal import PostgresClient

/// `parley doctor`: looks a database over and says what to do.
enum DoctorCommand {
    struct Options: Sendable {
        var databaseURL = ""
        var sqlDirectory: String?
    }

    static var command: Command {
        Command(
            name: "doctor", summary: "check a database and say what to do",
            help: {
                """
                usage: parley doctor --database-url <url> [settings]

                Checks version, settings, roles, grants, row-level security, installation, clock, partitions and LISTEN.
                Changes nothing. Run it once as the owner and once with the URL of the worker. Exit code 1 if something
                does not work.

                \(self.settings.help)
                """
            },
            run: { arguments, environment in
                let options = try self.settings.parse(arguments: arguments, environment: environment)
                let configuration = PostgresConfiguration(
                    url: options.databaseURL, applicationName: "parley doctor", preparedStatements: false)
                let connection = try PostgresConnection(configuration)
                defer { connection.close() }
                let directory = try? SQLDirectory.find(given: options.sqlDirectory, environment: environment)
                let manifest = try directory.map { directory in try Manifest(directory.read("manifest.sql")) }
                let findings = Examination(
                    connection: connection,
                    connect: { () throws(PostgresError) in try PostgresConnection(configuration) },
                    manifest: manifest, now: { Clock.unixSeconds() }
                ).run()
                Terminal.print(Finding.table(findings))
                let failures = findings.count { $0.level == .failure }
                let warnings = findings.count { $0.level == .warning }
                Terminal.print("\n" + Finding.verdict(failures: failures, warnings: warnings))
                return failures == 0 ? 0 : 1
            })
    }

    static var settings: SettingTable<Options> {
        let defaults = Options()
        return SettingTable(
            defaults: defaults,
            [
                Setting(
                    "database-url", environment: "PARLEY_DATABASE_URL", \.databaseURL, .databaseURL, defaults: defaults,
                    secret: true, help: "The database to look at."),
                MigrateCommand.sqlDirectory(\.sqlDirectory, defaults: defaults),
            ],
            check: { options throws(ConfigurationError) in
                guard options.databaseURL.isEmpty else { return }
                throw ConfigurationError(
                    .missing, setting: "--database-url (PARLEY_DATABASE_URL)",
                    "is needed; give a URL like postgresql://user:password@host:5432/database")
            })
    }
}
