internal import ParleyCore

/// On whose behalf a request runs.
struct GatewayCaller: Sendable, Equatable {
    /// The database role to take on.
    var role: String
    /// The JSON object for `request.jwt.claims`; it holds the role.
    var claims: String
    /// Whether a token vouches for more than the anonymous role.
    var isAuthenticated: Bool
    /// Whose share of the database the request takes: the user, else the address it comes from; nil for the service.
    var owner: String?

    /// The token a request carries: that of `Authorization: Bearer`, else the `apikey` header. Nil when it has neither.
    static func token(_ headers: [String: String]) throws(GatewayError) -> String? {
        if let header = headers["authorization"] {
            let parts = header.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
            if parts.first?.lowercased() == "bearer" {
                guard parts.count == 2 else { throw .token("Empty JWT is sent in Authorization header") }
                return String(parts[1].drop { $0 == " " })
            }
        }
        guard let key = headers["apikey"], !key.isEmpty else { return nil }
        return key
    }

    /// A request without a token.
    static func anonymous(_ configuration: GatewayConfiguration, peer: String) -> GatewayCaller {
        let claims: JSONValue = ["role": .string(configuration.anonymousRole)]
        return GatewayCaller(
            role: configuration.anonymousRole, claims: String(decoding: claims.serialized(), as: UTF8.self),
            isAuthenticated: false, owner: peer)
    }
}
