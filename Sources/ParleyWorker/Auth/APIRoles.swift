/// The database roles of users.
enum APIRoles {
    /// The role of a request without a token.
    static let anonymous = "anon"
    /// The roles a token may ask for.
    static let all: Set<String> = ["anon", "authenticated", "service_role"]
}
