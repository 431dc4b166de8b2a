internal import Crypto
internal import ParleyCore
internal import PostgresClient

extension APIError {
    /// The answer to a token that was refused.
    init(_ error: JWTError) {
        let (code, message, details) = error.postgrest
        self = code == "PGRST303" ? .claims(message, details: details) : .token(message, details: details)
    }

    /// The answer to a transaction that failed. - Parameter authenticated: whether a token vouches for the caller.
    init(_ error: PostgresError, authenticated: Bool) {
        let unknown = error.outcomeUnknown ? "It is not known whether the change was made." : nil
        switch error.code {
        case .server:
            self.init(DatabaseFailure(error), authenticated: authenticated)
        case .queueFull:
            self = .unavailable("PGRST003", "Timed out acquiring connection from connection pool.")
        case .ownerQueueFull:
            self = .unavailable("PT429", "Too many of your requests are waiting; send fewer at a time.", status: 429)
        case .timeout:
            self = .unavailable("PGRST003", "Timed out waiting for the database.", details: unknown, status: 504)
        case .unconfirmed:
            self = .unavailable(
                "PGRST003", "The database did not confirm the change in time.", details: unknown, status: 504)
        case .connectFailed, .shutdown: self = .unavailable("PGRST000", "Database connection error.")
        case .connectionLost, .cancelled:
            self = .unavailable(
                "PGRST001", "Database client error. Retrying the connection.", details: unknown)
        default: self = .unexpected
        }
    }

    /// Something the gateway did not expect; the log has the code.
    static let unexpected = APIError(
        status: 500, code: Code("PGRSTX00"), message: "Internal error of the gateway")

    /// The database cannot be asked at the moment.
    private static func unavailable(
        _ code: String, _ message: String, details: String? = nil, status: Int = 503
    ) -> APIError {
        APIError(
            status: status, code: Code(code), message: message, details: details,
            headers: [HeaderField("Retry-After", "1")])
    }
}
