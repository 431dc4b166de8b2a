internal import ParleyWorker
internal import PostgresClient

/// All commands, and what happens before and after one of them runs.
enum CommandList {

    /// Exit codes: 1 a failure, 2 wrong usage.
    static let usageError: Int32 = 2

    static var all: [Command] {
        [
            ServeCommand.command, DevCommand.command, MigrateCommand.command, DoctorCommand.command,
            TokenCommand.command, PushCommand.command,
        ]
    }

    static func run(_ arguments: [String], environment: [String: String]) async -> Int32 {
        guard let word = arguments.first else {
            Terminal.complain(self.help)
            return self.usageError
        }
        switch word {
        case "--help", "-h", "help":
            Terminal.print(self.help)
            return 0
        case "--version", "-v", "version":
            Terminal.print("parley \(Version.current)")
            return 0
        default: break
        }
        guard let command = self.all.first(where: { $0.name == word }) else {
            Terminal.complain("parley: there is no command '\(word)'; see parley --help")
            return self.usageError
        }
        let rest = Array(arguments.dropFirst())
        if rest.contains(where: { $0 == "--help" || $0 == "-h" }) {
            Terminal.print(command.help())
            return 0
        }
        return await self.run(command, rest, environment)
    }

    private static func run(_ command: Command, _ arguments: [String], _ environment: [String: String]) async -> Int32 {
        do {
            return try await command.run(arguments, environment)
        } catch let error as ConfigurationError {
            Terminal.complain("parley \(command.name): \(error)")
            return self.usageError
        } catch let error as CommandError {
            Terminal.complain("parley \(command.name): \(error)")
            if let hint = error.hint { Terminal.complain("  \(hint)") }
        } catch let error as PostgresError {
            Terminal.complain("parley \(command.name): \(error.message)")
            for more in [error.detail, error.hint] { if let more { Terminal.complain("  \(more)") } }
        } catch {
            Terminal.complain("parley \(command.name): \(error)")
        }
        return 1
    }

    private static var help: String {
        let width = self.all.map(\.name.count).max() ?? 0
        let list = self.all.map { command in
            "  \(command.name)\(String(repeating: " ", count: width - command.name.count))  \(command.summary)"
        }
        return """
            Parley: direct messaging inside your Postgres.

            usage: parley <command> [settings]

            \(list.joined(separator: "\n"))

            parley <command> --help lists the settings of a command. Most can also be given in the environment;
            a flag beats the environment.
            """
    }
}
