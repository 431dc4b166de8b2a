internal import FoundationEssentials
internal import Glibc

/// A structured logger: one JSON object per line on standard error, or in a ``LogFolder``.
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

    /// What a line is about. Each record is kept for a time of its own.
    public enum Record: String, Sendable, CaseIterable {
        /// What the program does.
        case application
        /// A request and how it ended.
        case access
        /// Warnings and errors.
        case error
    }

    /// A finished line, without its line break.
    public struct Line: Sendable {
        public var record: Record
        public var text: String

        public init(_ record: Record, _ text: String) {
            self.record = record
            self.text = text
        }
    }

    public typealias Sink = @Sendable (Line) -> Void

    private let threshold: Level
    private let label: String
    private let sink: Sink
    private let flood: Locked<LogFlood>

    /// - Parameters:
    ///   - label: the part of the program that logs, for example `tail`.
    ///   - threshold: lines below it are dropped, but for those of the access record.
    ///   - sink: where a finished line goes; standard error unless given.
    public init(label: String, threshold: Level = .info, sink: Sink? = nil) {
        self.init(label, threshold, sink ?? Self.toStandardError, Locked(LogFlood()))
    }

    private init(_ label: String, _ threshold: Level, _ sink: @escaping Sink, _ flood: Locked<LogFlood>) {
        self.label = label
        self.threshold = threshold
        self.sink = sink
        self.flood = flood
    }

    /// One write(2) per line, so lines of several threads do not mix. A full or closed stderr loses the line.
    public static let toStandardError: Sink = { line in
        let bytes = Array((line.text + "\n").utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// The same logger under another label.
    public func labelled(_ label: String) -> Log { Log(label, self.threshold, self.sink, self.flood) }

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

    /// A line of the access record, of which none is left out: they are alike but in their metadata, and are counted.
    public func access(_ message: StaticString, _ metadata: [(String, String)]) {
        self.write(.access, .info, message, metadata)
    }

    private func emit(_ level: Level, _ message: StaticString, _ metadata: [(String, String)]) {
        guard level >= self.threshold else { return }
        self.write(level >= .warning ? .error : .application, level, message, metadata)
    }

    private func write(_ record: Record, _ level: Level, _ message: StaticString, _ metadata: [(String, String)]) {
        var leftOut = 0
        if record == .error {
            let minute = Int64(time(nil) / 60)
            let kind = "\(self.label) \(message)"
            guard let count = self.flood.withLock({ $0.admit(kind, minute: minute) }) else { return }
            leftOut = count
        }
        var line = #"{"ts":"\#(Date.now.formatted(.iso8601))","record":"\#(record.rawValue)","level":"\#(level.name)","#
        line += #""label":"# + Self.quoted(self.label) + #","msg":"# + Self.quoted("\(message)")
        for (key, value) in metadata { line += "," + Self.quoted(key) + ":" + Self.quoted(value) }
        if leftOut > 0 { line += #","left_out":\#(leftOut)"# }
        self.sink(Line(record, line + "}"))
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
