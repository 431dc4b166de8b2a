internal import Glibc
internal import ParleyWorker
internal import Support

/// `parley dev`: a private Postgres and the worker in front of it, for one project folder.
enum DevCommand {
    struct Options: Sendable {
        var folder = "."
        var sqlDirectory: String?
        var serverPrograms: String?
        var serve = ServeConfiguration()
    }

    static var command: Command {
        Command(
            name: "dev", summary: "run a private Postgres and the worker in this folder",
            help: {
                """
                usage: parley dev [settings]

                Makes a Postgres cluster in .parley/pg from the server programs of this machine, installs Parley with
                demo users, and runs the worker in front of it. Serves the web client at / and two of the
                demo users side by side at /demo. Writes .parley/dev.json, with addresses and tokens, when the worker
                answers. Exports that users ask for come to .parley/exports. Stops both on SIGTERM and SIGINT. The data stays
                until .parley is removed.

                \(self.settings.help)
                """
            },
            run: { arguments, environment in
                try await self.run(try self.settings.parse(arguments: arguments, environment: environment), environment)
                return 0
            })
    }

    static var settings: SettingTable<Options> {
        let defaults = Options()
        // A project has its own database and keys.
        let own = [
            "database-url", "listen-database-url", "poll-only", "jwt-secret", "jwt-secret-file", "jwks", "jwks-ca",
            "jwt-issuer", "jwt-audience",
        ]
        let folder: [Setting<Options>] = [
            Setting(
                "folder", \.folder, .text("folder", "an existing folder"), defaults: defaults,
                help: "The project: where .parley is, or will be."),
            MigrateCommand.sqlDirectory(\.sqlDirectory, defaults: defaults),
            Setting(
                "pg-bindir", environment: "PARLEY_PG_BINDIR", \.serverPrograms,
                .text("folder", "a folder with initdb and pg_ctl"), defaults: defaults,
                help: "The PostgreSQL server programs, if not where pg_config points or in /usr/lib/postgresql."),
        ]
        let shared = ServeConfiguration.rows(defaults.serve).filter { !own.contains($0.flag) }
        return SettingTable(defaults: defaults, folder + shared.map { $0.within(\.serve) })
    }

    private static func run(_ options: Options, _ environment: [String: String]) async throws {
        // First of all, so that an early Ctrl-C is not lost.
        let signals = Signals()
        let log = Log(label: "parley", threshold: options.serve.logLevel)
        let folder = try ProjectFolder(in: options.folder)
        try folder.lock()
        // Whoever waits for the file must not find the one of the last run.
        unlink(folder.devFile)
        let binaries = try await ServerBinaries.find(given: options.serverPrograms)
        let directory = try SQLDirectory.find(given: options.sqlDirectory, environment: environment)
        let secrets = try folder.secrets()
        let cluster = try await DevCluster.open(folder, binaries, password: secrets.superuser) {
            Terminal.print("making a private Postgres in \(folder.cluster)")
        }
        let database = DevDatabase(port: try await cluster.start(), secrets: secrets)
        Terminal.print("Postgres listens on 127.0.0.1:\(database.port)")
        let supervisor = Task {
            await DevSupervisor(cluster: cluster, port: database.port, log: log.labelled("postgres")).run()
        }
        do {
            try self.install(database, directory)
            try await self.serve(options, database, folder, log, signals)
        } catch {
            await self.stop(supervisor, cluster, log)
            throw error
        }
        await self.stop(supervisor, cluster, log)
    }

    private static func install(_ database: DevDatabase, _ directory: SQLDirectory) throws {
        try database.prepare()
        let outcome = try Installer(directory).install(into: database.ownerURL) { name in
            Terminal.print("applying \(name)")
        }
        try database.makeWorker()
        try database.addDemo()
        Terminal.print(outcome.applied.isEmpty ? "the database is up to date" : "the database is ready")
    }

    private static func serve(
        _ options: Options, _ database: DevDatabase, _ folder: ProjectFolder, _ log: Log, _ signals: Signals
    ) async throws {
        var configuration = options.serve
        configuration.databaseURL = database.workerURL
        configuration.jwtSecret = database.secrets.jwt
        configuration.web = configuration.web ?? ReleaseFiles.web
        if configuration.exportFolder == nil {
            try folder.makeExports()
            configuration.exportFolder = folder.exports
        }
        let failure = Locked<CommandError?>(nil)
        let demoUsers: @Sendable () -> [UInt8] = { DevFile.demoUsers(database.secrets) }
        try await runServer(configuration, log: log, stops: signals.requests, demoUsers: demoUsers) { url in
            // The address to listen on may be "all of them"; clients need one.
            let address = ["http://0.0.0.0:", "http://:::"].first { url.hasPrefix($0) }
            let reachable = address.map { "http://127.0.0.1:" + url.dropFirst($0.count) } ?? url
            do throws(CommandError) {
                try DevFile.write(DevFile.json(url: reachable, database: database), to: folder.devFile)
                Terminal.print("ready: \(reachable), details in \(folder.devFile)")
            } catch {
                log.error("dev.json cannot be written", [("error", error.description)])
                failure.withLock { $0 = error }
            }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    private static func stop(_ supervisor: Task<Void, Never>, _ cluster: DevCluster, _ log: Log) async {
        supervisor.cancel()
        await supervisor.value
        do {
            try await cluster.stop()
        } catch {
            log.error("postgres was not stopped", [("error", "\(error)")])
        }
    }
}
