/// Why a request got no answer.
public struct HTTPError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure; more may be added.
    public struct Code: Sendable, Hashable {
        private enum Base {
            case invalidURL, invalidHeader, connectFailed, addressRefused, tls, timeout, tooLarge, transport, queueFull
            case cancelled, shutdown
        }
        private let base: Base

        /// No URL, or one of a scheme that is not allowed.
        public static let invalidURL = Code(base: .invalidURL)
        /// A header that no request can hold.
        public static let invalidHeader = Code(base: .invalidHeader)
        /// The name resolves to an address that the session's guard refuses.
        public static let addressRefused = Code(base: .addressRefused)
        /// The name does not resolve, or nobody listens there.
        public static let connectFailed = Code(base: .connectFailed)
        /// No TLS connection: the certificate is not trusted, is for another name, or cannot be read.
        public static let tls = Code(base: .tls)
        /// The time was over.
        public static let timeout = Code(base: .timeout)
        /// The body exceeds the limit.
        public static let tooLarge = Code(base: .tooLarge)
        /// The connection broke, or the server does not speak HTTP.
        public static let transport = Code(base: .transport)
        /// Too many requests are under way, or too many bytes of them.
        public static let queueFull = Code(base: .queueFull)
        /// The task was cancelled.
        public static let cancelled = Code(base: .cancelled)
        /// The session is shut down.
        public static let shutdown = Code(base: .shutdown)
    }

    public let code: Code
    /// libcurl's number for it, 0 if libcurl was not asked.
    public let curlCode: Int
    /// libcurl's sentence; it names no URL.
    public let message: String

    init(_ code: Code, curlCode: Int = 0, _ message: String) {
        self.code = code
        self.curlCode = curlCode
        self.message = message
    }

    /// True: the same request may succeed later.
    public var isRetriable: Bool {
        [.connectFailed, .timeout, .transport, .queueFull].contains(self.code)
    }

    public var description: String { self.curlCode == 0 ? self.message : "\(self.message) (curl \(self.curlCode))" }
}
