/// One word of the command line, as in `parley serve`.
struct Command: Sendable {
    let name: String
    /// One line for the list of commands.
    let summary: String
    /// The whole text of `parley <command> --help`.
    let help: @Sendable () -> String
    /// Does the work; the result is the exit code.
    let run: @Sendable (_ arguments: [String], _ environment: [String: String]) async throws -> Int32
}

/// Why a command ends without having done its work; the text is for the operator.
struct CommandError: Error, Sendable, CustomStringConvertible {
    let description: String
    /// What to do about it.
    let hint: String?

    init(_ description: String, hint: String? = nil) {
        self.description = description
        self.hint = hint
    }
}
