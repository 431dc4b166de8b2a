public import Support

/// How the text of a setting becomes a value and back.
public struct SettingKind<Value: Sendable>: Sendable {
    /// What stands for the value in the help; nil for a switch.
    public let placeholder: String?
    /// What is accepted, to be read after "give".
    public let accepted: String
    let parse: @Sendable (String) -> Value?
    let format: @Sendable (Value) -> String
    let merge: @Sendable (_ before: Value, _ new: Value) -> Value

    /// - Parameters:
    ///   - parse: nil for a text that is not accepted.
    ///   - format: the text of a default; empty if there is nothing to show.
    ///   - merge: what a setting that is given again makes of both values; the last one counts unless told otherwise.
    public init(
        placeholder: String?, accepted: String, parse: @escaping @Sendable (String) -> Value?,
        format: @escaping @Sendable (Value) -> String,
        merge: @escaping @Sendable (_ before: Value, _ new: Value) -> Value = { _, new in new }
    ) {
        self.merge = merge
        self.placeholder = placeholder
        self.accepted = accepted
        self.parse = parse
        self.format = format
    }
}

extension SettingKind where Value == String {
    /// Any text but the empty one.
    public static func text(_ placeholder: String, _ accepted: String) -> Self {
        SettingKind(
            placeholder: placeholder, accepted: accepted, parse: { $0.isEmpty ? nil : $0 }, format: { $0 })
    }

    /// A libpq connection URL. `key=value` strings are refused: one form is enough, and the URL can be redacted.
    public static var databaseURL: Self {
        SettingKind(
            placeholder: "url", accepted: "a URL like postgresql://user:password@host:5432/database",
            parse: { $0.hasPrefix("postgresql://") || $0.hasPrefix("postgres://") ? $0 : nil }, format: { $0 })
    }
}

extension SettingKind where Value == Bool {
    public static var flag: Self {
        SettingKind(
            placeholder: nil, accepted: "true or false",
            parse: { text in
                switch text {
                case "true", "1", "yes", "on": true
                case "false", "0", "no", "off": false
                default: nil
                }
            },
            format: { $0 ? "true" : "" })
    }
}

extension SettingKind where Value == Int {
    public static func integer(_ placeholder: String, _ range: ClosedRange<Int>) -> Self {
        SettingKind(
            placeholder: placeholder, accepted: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            parse: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } }, format: { "\($0)" })
    }

    /// A number of bytes: `65536`, `64KiB`, `1MiB`.
    public static func bytes(_ range: ClosedRange<Int>) -> Self {
        let units = [("KiB", 1024), ("MiB", 1024 * 1024), ("GiB", 1024 * 1024 * 1024)]
        return SettingKind(
            placeholder: "bytes",
            accepted: "a number of bytes from \(range.lowerBound) to \(range.upperBound), also as 64KiB or 1MiB",
            parse: { text in
                let unit = units.first { text.hasSuffix($0.0) }
                guard let number = Int(text.dropLast(unit == nil ? 0 : 3)), number >= 0 else { return nil }
                let (value, overflow) = number.multipliedReportingOverflow(by: unit?.1 ?? 1)
                return !overflow && range.contains(value) ? value : nil
            },
            format: { value in
                let unit = units.last { value >= $0.1 && value % $0.1 == 0 }
                return unit.map { "\(value / $0.1)\($0.0)" } ?? "\(value)"
            })
    }
}

extension SettingKind where Value == Duration {
    /// A time: `500ms`, `10s`, `2m`, `1h`; a bare number is seconds.
    public static func duration(_ range: ClosedRange<Duration>) -> Self {
        // "ms" first: it also ends in "s".
        let units: [(String, Int)] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)]
        @Sendable func milliseconds(_ time: Duration) -> Int {
            Int(time.components.seconds) * 1000 + Int(time.components.attoseconds / 1_000_000_000_000_000)
        }
        @Sendable func show(_ time: Duration) -> String {
            let total = milliseconds(time)
            let unit = total == 0 ? units[1] : units.last { total % $0.1 == 0 } ?? units[0]
            return "\(total / unit.1)\(unit.0)"
        }
        return SettingKind(
            placeholder: "time",
            accepted: "a time from \(show(range.lowerBound)) to \(show(range.upperBound)), as 500ms, 10s, 2m or 1h",
            parse: { text in
                let unit = units.first { text.hasSuffix($0.0) }
                guard let number = Int(text.dropLast(unit?.0.count ?? 0)), number >= 0 else { return nil }
                let (total, overflow) = number.multipliedReportingOverflow(by: unit?.1 ?? 1000)
                let value = Duration.milliseconds(total)
                return !overflow && range.contains(value) ? value : nil
            },
            format: show)
    }
}

extension SettingKind where Value == Log.Level {
    public static var logLevel: Self {
        let names = Log.Level.allCases.map(\.name).joined(separator: ", ")
        return SettingKind(
            placeholder: "level", accepted: "one of \(names)",
            parse: { text in Log.Level.allCases.first { $0.name == text } }, format: \.name)
    }
}
