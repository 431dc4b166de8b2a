internal import FoundationEssentials
internal import Glibc

/// What a command says to the person who runs it.
enum Terminal {
    static var environment: [String: String] { ProcessInfo.processInfo.environment }

    /// Writes lines to standard output.
    static func print(_ text: String) { self.write(text + "\n", to: STDOUT_FILENO) }

    /// Writes lines to standard error.
    static func complain(_ text: String) { self.write(text + "\n", to: STDERR_FILENO) }

    /// The next line of standard input without its end; nil at the end of input.
    static func readLine() -> String? { Swift.readLine() }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            // Nobody reads any more: nothing can be told.
            guard count > 0 || errno == EINTR else { return }
            rest = rest.dropFirst(max(count, 0))
        }
    }
}
