internal import Crypto
internal import FoundationEssentials
internal import ParleyCore

extension TokenVerifier {
    /// Verification in the shape the realtime service takes, its refusals in the words of the protocol.
    var sessionToken: RealtimeService.Verify {
        { token, now in
            do throws(JWTError) {
                let verified = try self.verify(token, now: now)
                return .success(
                    SessionToken(
                        subject: verified.subject.flatMap(UUID.init(uuidString:)), role: verified.role,
                        expiresAt: verified.expiresAt, issuedAt: Self.issuedAt(verified), claims: verified.claimsJSON,
                        fingerprint: SessionToken.fingerprint(of: token)))
            } catch {
                return .failure(
                    TokenRefusal(
                        upgradeText: error.handshakeText, systemText: error.message, joinReason: error.joinReason))
            }
        }
    }

    private static func issuedAt(_ token: VerifiedToken) -> String? {
        guard token.issuedAt != nil else { return nil }
        return (try? RawJSON(token.claimsJSON))?["iat"].map { String(decoding: $0.bytes, as: UTF8.self) }
    }
}
