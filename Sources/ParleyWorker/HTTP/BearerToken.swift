/// What the `Authorization` header of a request says.
enum BearerToken: Equatable {
    /// There is no header, or it is of another scheme.
    case none
    /// `Bearer` and nothing behind it, as old clients send.
    case empty
    case token(String)

    /// - Parameter headers: names in lower case.
    init(_ headers: [String: String]) {
        let parts = headers["authorization"]?.split(separator: " ", maxSplits: 1) ?? []
        guard parts.first?.lowercased() == "bearer" else {
            self = .none
            return
        }
        let token = parts.count == 2 ? parts[1].drop { $0 == " " } : ""
        self = token.isEmpty ? .empty : .token(String(token))
    }
}
