/// Tells devices that were registered for another app or key from settings that are wrong for all.
///
/// Any user can register such a device, and many of them: one user, or any device when another one was reached with the
/// same provider token, says nothing about the others.
struct MismatchTally: Sendable, Equatable {
    enum Fault: Sendable, Equatable {
        /// Of the device: others are accepted.
        case device
        /// Nothing was accepted yet, and few were refused.
        case unknown
        /// Of the settings, as far as anybody can tell.
        case everybody
    }

    /// Users that were refused before anything was accepted.
    private static let mostUsers = 10

    private var hasDelivered = false
    private var users: Set<String> = []

    mutating func delivered() {
        self.hasDelivered = true
        self.users = []
    }

    /// A device of that user was refused.
    mutating func add(_ user: String) -> Fault {
        if self.hasDelivered { return .device }
        if self.users.count < Self.mostUsers { self.users.insert(user) }
        return self.users.count < Self.mostUsers ? .unknown : .everybody
    }
}
