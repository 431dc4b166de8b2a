internal import ParleyCore
internal import ParleyWorker
internal import PostgresClient
internal import Support

/// `parley push`: tries out the settings of push, and says what became of notifications.
enum PushCommand {
    struct Options: Sendable {
        var push = ""
        var databaseURL = ""
        var device: String?
        var reason = "parley push"
        var provider: String?
        var answer: String?
        var since = "1 day"
        var logLevel = Log.Level.warning
    }

    static var command: Command {
        Command(
            name: "push", summary: "try out push notifications, and say what became of them",
            help: {
                """
                usage: parley push test --push <file> [settings] <jobs
                       parley push test --device <id> --database-url <url>
                       parley push explain <message> <user> --database-url <url>
                       parley push requeue [--provider <name>] [--answer <word>] [--since <time>] --database-url <url>

                test sends the notifications that standard input describes, one JSON object a line, once each, and writes
                a line with the outcome of each; docs/push.md has the form. With --device a notification goes through the
                queue to a registered device: a running worker sends it, and the command waits for the provider's answer.
                Exits with 0 if all were delivered.

                explain says why a user got a message or a notification of it, or not. It is recorded with the reason.

                requeue tries notifications of messages again that were given up (dead), and prints how many. What was read
                meanwhile is not sent.

                \(self.settings.help)
                """
            },
            run: { arguments, environment in
                switch arguments.first {
                case "test":
                    let options = try self.options(arguments.dropFirst(), environment)
                    guard let device = options.device else { return try await self.trial(options) }
                    return try await self.test(device, options)
                case "explain":
                    guard arguments.count >= 3 else {
                        throw CommandError(
                            "a message and a user are needed", hint: "parley push explain <message> <user>")
                    }
                    return try self.explain(
                        arguments[1], to: arguments[2], try self.options(arguments.dropFirst(3), environment))
                case "requeue": return try self.requeue(try self.options(arguments.dropFirst(), environment))
                default: throw CommandError("there is no such word", hint: "see parley push --help")
                }
            })
    }

    private static func options(
        _ arguments: ArraySlice<String>, _ environment: [String: String]
    ) throws(ConfigurationError) -> Options {
        try self.settings.parse(arguments: Array(arguments), environment: environment)
    }

    static var settings: SettingTable<Options> {
        SettingTable(
            defaults: Options(),
            [
                Setting(
                    "push", environment: "PARLEY_PUSH", \.push, .text("file", "the path of a JSON file"),
                    defaults: Options(), help: "The settings of push: providers and the files of their keys."),
                Setting(
                    "device", \.device, .text("id", "the id of a device"), defaults: Options(),
                    help: "Sends to this device, through the queue."),
                Setting(
                    "database-url", environment: "PARLEY_DATABASE_URL", \.databaseURL, .databaseURL,
                    defaults: Options(),
                    secret: true, help: "The database, as its owner or as the login of the worker."),
                Setting(
                    "reason", \.reason, .text("text", "a text"), defaults: Options(),
                    help: "Why somebody wants to know, for the audit log."),
                Setting(
                    "provider", \.provider, .text("name", "apns, fcm, webpush or webhook"), defaults: Options(),
                    help: "Requeues what was for this provider alone."),
                Setting(
                    "answer", \.answer, .text("word", "a provider's answer"), defaults: Options(),
                    help: "Requeues what has this answer alone, as parley push explain says it."),
                Setting(
                    "since", \.since, .text("time", "an interval like 6 hours"), defaults: Options(),
                    help: "Requeues what is no older than this."),
                Setting(
                    "log-level", environment: "PARLEY_LOG_LEVEL", \.logLevel, .logLevel, defaults: Options(),
                    help: "The least that is written to standard error."),
            ],
            check: { _ throws(ConfigurationError) in })
    }

    /// Without a queue.
    private static func trial(_ options: Options) async throws -> Int32 {
        guard !options.push.isEmpty else {
            throw ConfigurationError(
                .missing, setting: "--push (PARLEY_PUSH)", "is needed; give the path of a JSON file")
        }
        var lines: [String] = []
        while let line = Terminal.readLine() { if !line.isEmpty { lines.append(line) } }
        let log = Log(label: "push", threshold: options.logLevel)
        let all = try await PushTrial.run(settings: options.push, lines: lines, log: log) { Terminal.print($0) }
        return all ? 0 : 1
    }

    /// Through the queue; waits until the job is settled.
    private static func test(_ device: String, _ options: Options) async throws -> Int32 {
        let connection = try self.connect(options)
        defer { connection.close() }
        let job = try connection.query("select parley.push_test($1::uuid)", [device]).rows.first?.string(0) ?? ""
        let end = ContinuousClock.now + .seconds(120)
        while true {
            let row = try connection.query(
                "select settled_at is not null, state, to_jsonb(j) from parley.push_test_outcome($1::uuid) as j", [job]
            ).rows.first
            if let row, row.bool(0) == true {
                Terminal.print(row.string(2) ?? "")
                return row.string(1) == "sent" ? 0 : 1
            }
            guard ContinuousClock.now < end else {
                throw CommandError(
                    "the job \(job) is still \(row?.string(1) ?? "unknown")",
                    hint: "is a worker running with --push, and with the credentials of this device's app?")
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private static func explain(_ message: String, to user: String, _ options: Options) throws -> Int32 {
        let connection = try self.connect(options)
        defer { connection.close() }
        let answer = try connection.query(
            "select jsonb_pretty(parley.explain_delivery($1::uuid, $2::uuid, $3))", [message, user, options.reason])
        Terminal.print(answer.rows.first?.string(0) ?? "")
        return 0
    }

    private static func requeue(_ options: Options) throws -> Int32 {
        let connection = try self.connect(options)
        defer { connection.close() }
        let answer = try connection.query(
            "select parley.requeue_push_jobs($1, $2, $3::interval)", [options.provider, options.answer, options.since])
        Terminal.print("notifications that are tried again: \(answer.rows.first?.int64(0) ?? 0)")
        return 0
    }

    private static func connect(_ options: Options) throws -> PostgresConnection {
        guard !options.databaseURL.isEmpty else {
            throw ConfigurationError(
                .missing, setting: "--database-url (PARLEY_DATABASE_URL)",
                "is needed; give a URL like postgresql://user:password@host:5432/database")
        }
        return try PostgresConnection(
            PostgresConfiguration(
                url: options.databaseURL, applicationName: "parley push", preparedStatements: false))
    }
}
