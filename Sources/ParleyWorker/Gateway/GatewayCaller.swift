internal import Crypto
internal import FoundationEssentials
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
    /// The user whose limits count; nil for the service, and for a token without one.
    var user: UUID?

    /// The token a request carries: that of `Authorization: Bearer`, else the `apikey` header. Nil when it has neither.
    static func token(_ headers: [String: String]) throws(APIError) -> String? {
        switch BearerToken(headers) {
        case .token(let token): return token
        case .empty: throw .token("Empty JWT is sent in Authorization header")
        case .none: break
        }
        guard let key = headers["apikey"], !key.isEmpty else { return nil }
        return key
    }

    /// A request without a token.
    static func anonymous(peer: String) -> GatewayCaller {
        let claims: JSONValue = ["role": .string(APIRoles.anonymous)]
        return GatewayCaller(
            role: APIRoles.anonymous, claims: String(decoding: claims.serialized(), as: UTF8.self),
            isAuthenticated: false, owner: peer)
    }
}

extension GatewayCaller {
    /// The caller a verified token names. Its claims hold the role, without which no token is verified.
    init(_ token: VerifiedToken, peer: String) {
        self.init(
            role: token.role, claims: String(decoding: token.claimsJSON, as: UTF8.self),
            isAuthenticated: token.role != APIRoles.anonymous)
        // The service is the application itself: its requests are those of many.
        self.owner = token.role == SessionToken.serviceRole ? nil : token.subject?.lowercased() ?? peer
        self.user = token.role == SessionToken.serviceRole ? nil : token.subject.flatMap(UUID.init(text:))
    }
}
