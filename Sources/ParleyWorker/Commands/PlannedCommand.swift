internal import ParleyCore

/// A command with its statement.
struct PlannedCommand: Sendable {
    let request: SocketCommand
    let plan: CommandPlan
}
