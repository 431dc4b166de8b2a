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

    /// Who it is, and what is to be done. The first of a transaction also sets the limits of all.
    static let statementsPerCommand = 2

    /// One command by itself.
    /// - Parameter timeout: how long it may take, waiting included; also the `statement_timeout`.
    func alone(_ command: PlannedCommand, within timeout: Duration) -> Transaction {
        let isReadOnly = command.plan.isReadOnly
        return Transaction(
            self.statements([command], timeout, lockTimeout: self.lockTimeout),
            mode: isReadOnly ? .readOnly : .readWrite, timeout: timeout,
            contention: isReadOnly ? nil : command.request.command.subject.lowercaseText,
            contentionTable: "conversation",
            lane: isReadOnly ? .reading : .prompt, owner: command.request.token.owner)
    }

    /// Several commands that are committed together or not at all. The results come in the order of the commands,
    /// `statementsPerCommand` for each, the answer last.
    func together(_ commands: [PlannedCommand], within timeout: Duration) -> Transaction {
        Transaction(
            self.statements(commands, timeout, lockTimeout: self.sharedLockTimeout), retriesOnConflict: 0,
            timeout: timeout)
    }

    private func statements(
        _ commands: [PlannedCommand], _ timeout: Duration, lockTimeout: Duration
    ) -> [Statement] {
        let limits = [
            self.schema, String(Int(timeout / .milliseconds(1))), String(Int(lockTimeout / .milliseconds(1))),
        ]
        return commands.enumerated().flatMap { index, command in
            let token = command.request.token
            let identity = [token.role, String(decoding: token.claims, as: UTF8.self)]
            return [
                index == 0 ? Statement(Self.first, identity + limits) : Statement(Self.next, identity),
                Statement(RoleMark.text(token.role) + command.plan.sql, command.plan.parameters),
            ]
        }
    }

    private static let next = "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)"
    private static let first = """
        \(next), set_config('search_path', quote_ident($3), true), set_config('statement_timeout', $4, true), \
        set_config('lock_timeout', $5, true)
        """
}
