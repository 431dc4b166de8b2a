/// What a `Prefer` header (RFC 7240) asks for, as far as it bears on reads and calls.
public struct RequestPreferences: Sendable, Equatable {
    /// Count all rows the filters match. `planned` and `estimated` are answered with the exact count too.
    public var count: Bool
    /// `handling=strict` was given.
    public var strict: Bool

    public init(count: Bool = false, strict: Bool = false) {
        self.count = count
        self.strict = strict
    }

    /// Reads the header. Unknown preferences are ignored, unless `handling=strict` forbids that.
    public init(_ header: String?) throws(APIError) {
        var preferences = RequestPreferences()
        var invalid: [String] = []
        for part in (header ?? "").split(separator: ",") {
            let preference = String(part.filter { !$0.isWhitespace })
            switch preference {
            case "count=exact", "count=planned", "count=estimated": preferences.count = true
            case "handling=strict": preferences.strict = true
            case "handling=lenient", "return=minimal", "return=representation", "return=headers-only", "count=none",
                "missing=default", "resolution=merge-duplicates", "resolution=ignore-duplicates", "tx=commit", "":
                break
            default: invalid.append(preference)
            }
        }
        if preferences.strict, !invalid.isEmpty { throw .preferences(invalid) }
        self = preferences
    }

    /// The value of `Preference-Applied`; nil when no preference was applied.
    public var applied: String? {
        let parts = (self.strict ? ["handling=strict"] : []) + (self.count ? ["count=exact"] : [])
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}
