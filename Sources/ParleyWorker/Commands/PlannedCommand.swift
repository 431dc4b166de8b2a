internal import ParleyCore

/// A command with its statement. It passes through many hands: a class, so that one count is touched and not a dozen.
final class PlannedCommand: Sendable {
    let request: SocketCommand
    let plan: CommandPlan

    init(request: SocketCommand, plan: CommandPlan) {
        self.request = request
        self.plan = plan
    }
}
