public import Crypto
internal import FoundationEssentials
internal import ParleyCore

extension RealtimeService {
    /// A check of tokens for sessions, made of one that verifies signatures and claims.
    public static func verify(
        _ check: @escaping @Sendable (_ token: String, _ now: Int64) throws(JWTError) -> VerifiedToken
    ) -> Verify {
        { text, now in
            do throws(JWTError) {
                return .success(SessionToken(try check(text, now), text: text))
            } catch {
                return .failure(TokenRefusal(error))
            }
        }
    }
}

extension SessionToken {
    convenience init(_ token: VerifiedToken, text: String) {
        self.init(
            subject: token.subject.flatMap { UUID(text: Array($0.utf8)) }, role: token.role, expiresAt: token.expiresAt,
            issuedAt: token.issuedAt, claims: token.claimsJSON, fingerprint: Self.fingerprint(of: text))
    }
}

extension TokenRefusal {
    init(_ error: JWTError) {
        self.init(upgradeText: error.handshakeText, systemText: error.message, joinReason: error.joinReason)
    }
}
