internal import ParleyCore
internal import PostgresClient

/// Makes the transactions in which commands run, each as the holder of its token.
struct CommandTransaction: Sendable {
    /// The exposed schema, which is the search path.
    let schema: String
    /// How long a command by itself may wait for a lock.
    let lockTimeout: Duration
    /// The same for commands that share a transaction.
    let sharedLockTimeout: Duration

    static let statementsPerCommand = 2

    /// One command by itself.
    /// - Parameter timeout: how long it may take, waiting included; also the `statement_timeout`.
    func alone(_ command: PlannedCommand, within timeout: Duration) -> Transaction {
        let isReadOnly = command.plan.isReadOnly
        return Transaction(
            [self.settings(timeout, lockTimeout: self.lockTimeout)] + Self.statements(command),
            mode: isReadOnly ? .readOnly : .readWrite, timeout: timeout,
            contention: isReadOnly ? nil : command.request.command.subject.lowercaseText,
            contentionTable: "conversation",
            lane: isReadOnly ? .reading : .prompt, owner: command.request.token.owner)
    }

    /// Several commands that are committed together or not at all. The results come in the order of the commands,
    /// `statementsPerCommand` for each after the first one.
    func together(_ commands: [PlannedCommand], within timeout: Duration) -> Transaction {
        Transaction(
            [self.settings(timeout, lockTimeout: self.sharedLockTimeout)] + commands.flatMap(Self.statements),
            retriesOnConflict: 0, timeout: timeout)
    }

    private func settings(_ timeout: Duration, lockTimeout: Duration) -> Statement {
        Statement(
            """
            select set_config('search_path', quote_ident($1), true), set_config('statement_timeout', $2, true), \
            set_config('lock_timeout', $3, true)
            """,
            [
                self.schema, String(Int(timeout / .milliseconds(1))),
                String(Int(lockTimeout / .milliseconds(1))),
            ])
    }

    private static func statements(_ command: PlannedCommand) -> [Statement] {
        let token = command.request.token
        return [
            Statement(
                "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
                [token.role, String(decoding: token.claims, as: UTF8.self)]),
            Statement(RoleMark.text(token.role) + command.plan.sql, command.plan.parameters),
        ]
    }
}
