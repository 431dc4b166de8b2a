/// What the database said to an `Authorization`.
public enum AuthorizationAnswer: Sendable, Equatable {
    case allowed
    case denied
    /// No answer could be had.
    case failed(JoinRefusal)
}
