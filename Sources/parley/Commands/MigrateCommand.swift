internal import ParleyWorker

/// `parley migrate`: installs Parley into a database, or upgrades it in place.
enum MigrateCommand {
    struct Options: Sendable {
        var databaseURL = ""
        var sqlDirectory: String?
    }

    static var command: Command {
        Command(
            name: "migrate", summary: "install Parley into a database, or upgrade it",
            help: {
                """
                usage: parley migrate --database-url <url> [settings]

                Applies Parley's SQL files in one transaction: after an error nothing has changed. Run it as an ordinary
                role that owns the database, as often as you like. `psql -f sql/install.sql` does the same.

                \(self.settings.help)
                """
            },
            run: { arguments, environment in
                let options = try self.settings.parse(arguments: arguments, environment: environment)
                let directory = try SQLDirectory.find(given: options.sqlDirectory, environment: environment)
                let outcome = try Installer(directory).install(into: options.databaseURL) { name in
                    Terminal.print("applying \(name)")
                }
                let count = outcome.applied.count
                let migrations = count == 0 ? "no migration was" : count == 1 ? "1 migration" : "\(count) migrations"
                Terminal.print("\(migrations) applied; functions, views and policies are those of \(directory.path)")
                Terminal.print(outcome.summary)
                return 0
            })
    }

    static var settings: SettingTable<Options> {
        SettingTable(
            defaults: Options(), self.rows(Options()),
            check: { options throws(ConfigurationError) in
                guard options.databaseURL.isEmpty else { return }
                throw ConfigurationError(
                    .missing, setting: "--database-url (PARLEY_DATABASE_URL)",
                    "is needed; give a URL like postgresql://owner:password@host:5432/database")
            })
    }

    private static func rows(_ defaults: Options) -> [Setting<Options>] {
        [
            Setting(
                "database-url", environment: "PARLEY_DATABASE_URL", \.databaseURL, .databaseURL, defaults: defaults,
                secret: true, help: "The database, as the role that owns it."),
            self.sqlDirectory(\.sqlDirectory, defaults: defaults),
        ]
    }

    static func sqlDirectory<Other>(
        _ path: any WritableKeyPath<Other, String?> & Sendable, defaults: Other
    ) -> Setting<Other> {
        Setting(
            "sql-dir", environment: "PARLEY_SQL_DIR", path, .text("folder", "the folder sql of a release"),
            defaults: defaults,
            help: "Where the SQL files are, if not beside the program or in the source tree it was built in.")
    }
}
