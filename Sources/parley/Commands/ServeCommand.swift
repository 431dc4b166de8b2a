internal import ParleyWorker
internal import Support

/// `parley serve`: the worker in front of a database.
enum ServeCommand {
    static var command: Command {
        Command(
            name: "serve", summary: "run the worker in front of a Postgres",
            help: {
                """
                usage: parley serve [settings]

                Runs the worker: WebSocket and HTTP for clients, the event log of the database behind it. Stops gracefully
                on SIGTERM and SIGINT; a second signal cuts that short.

                \(ServeConfiguration.settings.help)
                """
            },
            run: { arguments, environment in
                let configuration = try ServeConfiguration.settings.parse(
                    arguments: arguments, environment: environment)
                let signals = Signals()
                let folder = try configuration.openLogFolder()
                let log = Log(label: "parley", threshold: configuration.logLevel, sink: folder.map { $0.write })
                try await runServer(configuration, log: log, logFolder: folder, stops: signals.requests)
                return 0
            })
    }
}
