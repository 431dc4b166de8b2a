internal import ParleyWorker
internal import Support

/// `parley push test`: sends notifications by the settings of push, and says what the providers answered.
enum PushCommand {
    struct Options: Sendable {
        var push = ""
        var logLevel = Log.Level.warning
    }

    static var command: Command {
        Command(
            name: "push", summary: "try out the settings of push notifications",
            help: {
                """
                usage: parley push test --push <file> [settings] <jobs

                Sends the notifications that standard input describes, one JSON object a line, once each, and writes a
                line with the outcome of each. Exits with 0 if all were delivered. docs/push.md has the form of a job.

                \(self.settings.help)
                """
            },
            run: { arguments, environment in
                guard arguments.first == "test" else {
                    throw CommandError("there is no such word", hint: "parley push test is all there is")
                }
                let options = try self.settings.parse(
                    arguments: Array(arguments.dropFirst()), environment: environment)
                var lines: [String] = []
                while let line = Terminal.readLine() { if !line.isEmpty { lines.append(line) } }
                let log = Log(label: "push", threshold: options.logLevel)
                let all = try await PushTrial.run(settings: options.push, lines: lines, log: log) { line in
                    Terminal.print(line)
                }
                return all ? 0 : 1
            })
    }

    static var settings: SettingTable<Options> {
        SettingTable(
            defaults: Options(),
            [
                Setting(
                    "push", environment: "PARLEY_PUSH", \.push, .text("file", "the path of a JSON file"),
                    defaults: Options(), help: "The settings of push: providers and the files of their keys."),
                Setting(
                    "log-level", environment: "PARLEY_LOG_LEVEL", \.logLevel, .logLevel, defaults: Options(),
                    help: "The least that is written to standard error."),
            ],
            check: { options throws(ConfigurationError) in
                guard options.push.isEmpty else { return }
                throw ConfigurationError(
                    .missing, setting: "--push (PARLEY_PUSH)", "is needed; give the path of a JSON file")
            })
    }
}
