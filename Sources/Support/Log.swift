internal import FoundationEssentials
internal import Glibc

/// A structured logger: one JSON object per line on standard error.
///
/// Messages are constants; data goes to `metadata`, with dotted keys (`conn.id`). Message content, tokens and other
/// text of a client's never go in: log ids, counts and codes.
public struct Log: Sendable {
    public enum Level: Int, Sendable, Comparable, CaseIterable {
        case debug, info, warning, error
        public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
        public var name: String {
            switch self {
            case .debug: "debug"
            case .info: "info"
            case .warning: "warning"
            case .error: "error"
            }
        }
    }

    private let threshold: Level
    private let label: String
    private let sink: @Sendable (String) -> Void

    /// - Parameters:
    ///   - label: the part of the program that logs, for example `tail`.
    ///   - threshold: lines below it are dropped.
    ///   - sink: where a finished line goes; standard error unless given.
    public init(label: String, threshold: Level = .info, sink: (@Sendable (String) -> Void)? = nil) {
        self.label = label
        self.threshold = threshold
        self.sink =
            sink ?? { line in
                let bytes = Array((line + "\n").utf8)
                // One write(2) per line, so lines of several threads do not mix. A full or closed stderr loses the line.
                _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            }
    }

    /// The same logger under another label.
    public func labelled(_ label: String) -> Log { Log(label: label, threshold: self.threshold, sink: self.sink) }

    public func debug(_ message: StaticString, _ metadata: [(String, String)] = []) {
        self.emit(.debug, message, metadata)
    }
    public func info(_ message: StaticString, _ metadata: [(String, String)] = []) {
        self.emit(.info, message, metadata)
    }
    public func warning(_ message: StaticString, _ metadata: [(String, String)] = []) {
        self.emit(.warning, message, metadata)
    }
    public func error(_ message: StaticString, _ metadata: [(String, String)] = []) {
        self.emit(.error, message, metadata)
    }

    private func emit(_ level: Level, _ message: StaticString, _ metadata: [(String, String)]) {
        guard level >= self.threshold else { return }
        var line = #"{"ts":"\#(Date.now.formatted(.iso8601))","level":"\#(level.name)","label":"#
        line += Self.quoted(self.label) + #","msg":"# + Self.quoted("\(message)")
        for (key, value) in metadata { line += "," + Self.quoted(key) + ":" + Self.quoted(value) }
        self.sink(line + "}")
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20: out += " "
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
