/// One setting of a command: where it comes from, what it accepts, what it is for.
///
/// The same value parses the command line and the environment and prints the help, so the three cannot disagree.
public struct Setting<Options>: Sendable {
    /// The flag without its dashes: `database-url`.
    public let flag: String
    /// The environment variable, if it may be given there.
    public let environment: String?
    /// What stands for the value in the help; nil for a switch.
    public let placeholder: String?
    /// What is accepted, as in "a number from 1 to 9".
    public let accepted: String
    /// The default as it would be typed; empty if there is none.
    public let fallback: String
    public let help: String
    /// The value is never repeated in an error.
    public let isSecret: Bool
    /// False if the text is not accepted.
    let apply: @Sendable (inout Options, String) -> Bool

    /// - Parameters:
    ///   - path: where the value goes; the default shown is the one found there in `Options()`.
    public init<Value>(
        _ flag: String, environment: String? = nil, _ path: any WritableKeyPath<Options, Value> & Sendable,
        _ kind: SettingKind<Value>, defaults: Options, secret: Bool = false, help: String
    ) {
        self.flag = flag
        self.environment = environment
        self.placeholder = kind.placeholder
        self.accepted = kind.accepted
        self.fallback = kind.format(defaults[keyPath: path])
        self.help = help
        self.isSecret = secret
        self.apply = { options, text in
            guard let value = kind.parse(text) else { return false }
            options[keyPath: path] = kind.merge(options[keyPath: path], value)
            return true
        }
    }

    /// The same for a value that need not be given.
    public init<Value>(
        _ flag: String, environment: String? = nil, _ path: any WritableKeyPath<Options, Value?> & Sendable,
        _ kind: SettingKind<Value>, defaults: Options, secret: Bool = false, help: String
    ) {
        let optional = SettingKind<Value?>(
            placeholder: kind.placeholder, accepted: kind.accepted,
            parse: { text in kind.parse(text).map { .some($0) } }, format: { value in value.map(kind.format) ?? "" })
        self.init(flag, environment: environment, path, optional, defaults: defaults, secret: secret, help: help)
    }

    private init(_ other: Setting<some Any>, apply: @escaping @Sendable (inout Options, String) -> Bool) {
        self.flag = other.flag
        self.environment = other.environment
        self.placeholder = other.placeholder
        self.accepted = other.accepted
        self.fallback = other.fallback
        self.help = other.help
        self.isSecret = other.isSecret
        self.apply = apply
    }

    /// The same setting of a command whose options contain these.
    public func within<Outer>(_ path: any WritableKeyPath<Outer, Options> & Sendable) -> Setting<Outer> {
        Setting<Outer>(self) { outer, text in self.apply(&outer[keyPath: path], text) }
    }

    /// Puts `text` into `options`.
    ///
    /// - Parameter source: how the operator named the setting.
    func set(_ text: String, from source: String, in options: inout Options) throws(ConfigurationError) {
        guard !self.apply(&options, text) else { return }
        let shown = self.isSecret ? "the value" : "'\(text)'"
        throw ConfigurationError(.invalid, setting: source, "\(shown) is not accepted; give \(self.accepted)")
    }
}

/// All settings of one command.
public struct SettingTable<Options: Sendable>: Sendable {
    public let settings: [Setting<Options>]
    private let defaults: Options
    private let check: Check

    /// What is decided once all settings are read.
    public typealias Check = @Sendable (inout Options) throws(ConfigurationError) -> Void

    /// - Parameter check: looks at the settings together once all are read, for what no single one can decide.
    public init(
        defaults: Options, _ settings: [Setting<Options>],
        check: @escaping Check = { (_) throws(ConfigurationError) in }
    ) {
        self.settings = settings
        self.defaults = defaults
        self.check = check
    }

    /// Reads `--flag value`, `--flag=value` and switches; a flag beats the environment. An empty environment variable
    /// counts as absent.
    public func parse(arguments: [String], environment: [String: String]) throws(ConfigurationError) -> Options {
        var options = self.defaults
        for setting in self.settings {
            guard let name = setting.environment, let value = environment[name], !value.isEmpty else { continue }
            try setting.set(value, from: name, in: &options)
        }
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard argument.hasPrefix("--"), let setting = self.settings.first(where: { "--" + $0.flag == parts[0] })
            else { throw self.unknown(argument) }
            let source = "--" + setting.flag
            if parts.count == 2 {
                try setting.set(String(parts[1]), from: source, in: &options)
            } else if setting.placeholder == nil {
                try setting.set("true", from: source, in: &options)
            } else if let value = rest.popFirst() {
                try setting.set(value, from: source, in: &options)
            } else {
                throw ConfigurationError(.missing, setting: source, "needs a value; give \(setting.accepted)")
            }
        }
        try self.check(&options)
        return options
    }

    private func unknown(_ argument: String) -> ConfigurationError {
        // Only the name: what follows `=` may be a secret.
        let name = String(argument.split(separator: "=", maxSplits: 1).first ?? "")
        return ConfigurationError(.unknown, setting: name.isEmpty ? "''" : name, "there is no such setting; see --help")
    }

    /// The settings as text for `--help`, 100 columns wide.
    public var help: String {
        var lines: [String] = []
        for setting in self.settings {
            var head = "  --" + setting.flag
            if let placeholder = setting.placeholder { head += " <\(placeholder)>" }
            if let environment = setting.environment { head += "   (\(environment))" }
            lines.append(head)
            var text = setting.help
            if !setting.fallback.isEmpty {
                text += " Default: \(setting.fallback)" + (setting.fallback.hasSuffix(".") ? "" : ".")
            }
            lines += Self.wrapped(text, indent: 8, width: 100)
        }
        return lines.joined(separator: "\n")
    }

    private static func wrapped(_ text: String, indent: Int, width: Int) -> [String] {
        let margin = String(repeating: " ", count: indent)
        var lines: [String] = []
        var line = margin
        for word in text.split(separator: " ") {
            if line.count + word.count + 1 > width, line.count > indent {
                lines.append(line)
                line = margin
            }
            line += (line.count > indent ? " " : "") + word
        }
        return lines + [line]
    }
}
