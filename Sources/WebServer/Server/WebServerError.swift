/// Why a server or its loop could not be set up.
public struct WebServerError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure. More kinds may be added.
    public struct Code: Sendable, Hashable {
        private enum Base { case loopFailed, addressUnusable, certificateUnusable, alreadyStarted }
        private let base: Base

        /// The thread or the libwebsockets context could not be made.
        public static let loopFailed = Code(base: .loopFailed)
        /// The address cannot be bound: wrong, in use, or not allowed.
        public static let addressUnusable = Code(base: .addressUnusable)
        /// The certificate or key file cannot be read, or they do not belong together.
        public static let certificateUnusable = Code(base: .certificateUnusable)
        /// `start` was called a second time.
        public static let alreadyStarted = Code(base: .alreadyStarted)
    }

    public let code: Code
    /// One sentence for a person.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { self.message }
}
