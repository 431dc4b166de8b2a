public import FoundationEssentials

/// A verified token, shared by every channel that joined with it.
public final class SessionToken: Sendable, Equatable {
    /// `sub`, when it is a UUID: who the holder is.
    public let subject: UUID?
    public let role: String
    /// `exp` in Unix seconds.
    public let expiresAt: Int64
    /// `iat` in Unix seconds, digit for digit: it may have fractions.
    public let issuedAt: String?
    /// The claims as the database gets them in `request.jwt.claims`.
    public let claims: [UInt8]
    /// Recognises the same token when it is sent again; the token itself is not kept.
    public let fingerprint: Int

    public init(subject: UUID?, role: String, expiresAt: Int64, issuedAt: String?, claims: [UInt8], fingerprint: Int) {
        self.subject = subject
        self.role = role
        self.expiresAt = expiresAt
        self.issuedAt = issuedAt
        self.claims = claims
        self.fingerprint = fingerprint
    }

    /// The user whose rights bind a channel; nil for the service role, which is above membership.
    public var boundUser: UUID? { self.isService ? nil : self.subject }
    public var isService: Bool { self.role == Self.serviceRole }
    /// The role of the application's own server.
    public static let serviceRole = "service_role"
    /// Whose share of the database a transaction takes; the service has no share of its own.
    public var owner: String? { self.isService ? nil : self.subject?.lowercaseText ?? self.role }

    /// A keyed hash of a token's text; the key changes with every start of the process.
    public static func fingerprint(of token: String) -> Int {
        var hasher = Hasher()
        hasher.combine(token)
        return hasher.finalize()
    }

    public static func == (left: SessionToken, right: SessionToken) -> Bool { left === right }
}

/// Why a token was refused, in the words of the protocol.
public struct TokenRefusal: Error, Sendable, Equatable {
    /// The `error` of a refused upgrade.
    public var upgradeText: String
    /// The `system` message before a channel is closed.
    public var systemText: String
    /// The reason of a refused join.
    public var joinReason: String

    public init(upgradeText: String, systemText: String, joinReason: String) {
        self.upgradeText = upgradeText
        self.systemText = systemText
        self.joinReason = joinReason
    }

    /// A token whose `exp` passed so many seconds ago.
    public static func expired(secondsAgo: Int64) -> TokenRefusal {
        TokenRefusal(
            upgradeText: ProtocolText.Handshake.expired,
            systemText: ProtocolText.System.expired(secondsAgo: secondsAgo),
            joinReason: ProtocolText.Join.expired(secondsAgo: secondsAgo))
    }
}
