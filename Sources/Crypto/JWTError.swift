/// Why a token is refused. It never holds any part of the token but the `kid`.
public struct JWTError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of fault; more may be added.
    public struct Code: Sendable, Hashable {
        private enum Base {
            case malformed, noKey, refused, badSignature, missingClaims, invalidExpiry, expired, notYetValid
            case issuedInFuture, wrongAudience, wrongIssuer
        }
        private let base: Base

        /// Not three segments of strict base64url with a JSON header and claims, or too long.
        public static let malformed = Code(base: .malformed)
        /// No key for the token's `kid` and `alg`.
        public static let noKey = Code(base: .noKey)
        /// Well-formed, but with a header that is never accepted; see ``JWTError/detail``.
        public static let refused = Code(base: .refused)
        public static let badSignature = Code(base: .badSignature)
        /// `role` or `exp` is missing, or `role` is no text.
        public static let missingClaims = Code(base: .missingClaims)
        /// A time claim is not a number, or not a time.
        public static let invalidExpiry = Code(base: .invalidExpiry)
        /// `exp` has passed, by ``JWTError/secondsAgo``.
        public static let expired = Code(base: .expired)
        public static let notYetValid = Code(base: .notYetValid)
        public static let issuedInFuture = Code(base: .issuedInFuture)
        public static let wrongAudience = Code(base: .wrongAudience)
        public static let wrongIssuer = Code(base: .wrongIssuer)
    }

    public let code: Code
    /// For ``Code/expired``: how long ago, 0 in the very second.
    public let secondsAgo: Int64
    /// For ``Code/noKey``: the `kid` that is unknown.
    public let keyID: String?
    /// More for the log and for PostgREST's answer.
    public let detail: String?

    init(_ code: Code, secondsAgo: Int64 = 0, keyID: String? = nil, detail: String? = nil) {
        self.code = code
        self.secondsAgo = secondsAgo
        self.keyID = keyID
        self.detail = detail
    }

    public var description: String { self.detail.map { "\(self.message) (\($0))" } ?? self.message }
}
