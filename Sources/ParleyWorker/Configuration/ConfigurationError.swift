/// A setting that cannot be used, told to the operator.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong; more may be added.
    public struct Code: Sendable, Equatable {
        private enum Base { case unknown, missing, invalid }
        private let base: Base
        /// No such setting.
        public static let unknown = Code(base: .unknown)
        /// A setting that is needed was not given.
        public static let missing = Code(base: .missing)
        /// The value is not one of those accepted.
        public static let invalid = Code(base: .invalid)
    }

    public let code: Code
    /// As the operator wrote it: `--port`, or `PARLEY_PORT` when it came from the environment.
    public let setting: String
    /// One sentence that says what is accepted.
    public let message: String

    public init(_ code: Code, setting: String, _ message: String) {
        self.code = code
        self.setting = setting
        self.message = message
    }

    public var description: String { "\(self.setting): \(self.message)" }
}
