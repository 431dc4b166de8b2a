/// The syntax of arguments, checked before Postgres sees them.
///
/// Postgres writes a value that it cannot read into its log, and people mistake one argument for another: the text of a
/// message must not get there as "invalid input syntax for type uuid". The answers are those of Postgres, by SQLSTATE.
public enum ArgumentSyntax {
    /// Characters of a refused value that are repeated to the caller.
    private static let longestEcho = 32
    /// Longer times are no times.
    private static let longestTime = 64

    /// What is wrong with a JSON value for a parameter of that type; nil if nothing is, or the type takes any text.
    public static func fault(_ value: RawJSON, type: String, name: String) -> APIError? {
        switch value.kind {
        case .null: return nil
        case .string: return self.takesJSON(type) ? nil : self.fault(text: value.string ?? "", type: type, name: name)
        case .array where type.hasSuffix("[]"):
            for element in value.elements(limit: .max) ?? [] {
                let isNested = element.kind == .array
                let type = isNested ? type : String(type.dropLast(2))
                if let fault = self.fault(element, type: type, name: name) { return fault }
            }
            return nil
        case .array, .object, .bool, .number:
            if type.hasSuffix("[]") { return self.refusal("22P02", "expected JSON array", name) }
            if self.takesJSON(type) { return nil }
            return self.fault(text: String(decoding: value.bytes, as: UTF8.self), type: type, name: name)
        }
    }

    /// The same for a value in Postgres' text form. - Parameter name: of the argument; nil for the value of a filter.
    static func fault(text: String, type: String, name: String?) -> APIError? {
        if type.hasSuffix("[]") {
            guard let elements = self.elements(ofArray: text) else {
                return self.refusal("22P02", "malformed array literal: \(self.echo(text))", name)
            }
            for case let element? in elements {
                if let fault = self.fault(text: element, type: String(type.dropLast(2)), name: name) { return fault }
            }
            return nil
        }
        let isRight: Bool
        var code = "22P02"
        switch type {
        case "uuid": isRight = self.isUUID(text)
        case "boolean": isRight = self.isBoolean(text)
        case "smallint": return self.integerFault(text, Int16.self, type, name)
        case "integer": return self.integerFault(text, Int32.self, type, name)
        case "bigint": return self.integerFault(text, Int64.self, type, name)
        case "interval", "timestamp with time zone":
            code = "22007"
            isRight = self.looksLikeTime(text)
        case "numeric", "real", "double precision":
            guard !self.isHuge(text) else {
                return self.refusal("22003", "value \(self.echo(text)) is out of range for type \(type)", name)
            }
            isRight = true
        case "json", "jsonb":
            // The value itself is not repeated: it is long, and its author's.
            if let json = try? RawJSON(Array(text.utf8)) { return json.holdsZero ? .zeroEscape : nil }
            return self.refusal("22P02", "invalid input syntax for type json, or a value too large", name)
        default: isRight = true
        }
        return isRight ? nil : self.refusal(code, "invalid input syntax for type \(type): \(self.echo(text))", name)
    }

    private static func takesJSON(_ type: String) -> Bool { type == "json" || type == "jsonb" }

    private static func refusal(_ code: String, _ message: String, _ name: String?) -> APIError {
        let place = name.map { "argument \($0): " } ?? ""
        return APIError(status: 400, code: APIError.Code(code), message: place + message)
    }

    private static func echo(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(self.longestEcho)
        return "\"" + String(shown) + (shown.count < text.unicodeScalars.count ? "..." : "") + "\""
    }

    // MARK: Types

    /// As `uuid_in` reads it: 32 hexadecimal digits, a hyphen allowed behind every fourth, braces around them or none.
    static func isUUID(_ text: String) -> Bool {
        var bytes = Array(text.utf8)[...]
        if bytes.first == UInt8(ascii: "{") {
            guard bytes.last == UInt8(ascii: "}") else { return false }
            bytes = bytes.dropFirst().dropLast()
        }
        var digits = 0
        var afterHyphen = true
        for byte in bytes {
            if byte == UInt8(ascii: "-") {
                guard !afterHyphen, digits % 4 == 0, digits < 32 else { return false }
                afterHyphen = true
            } else {
                guard Hex.value(of: byte) != nil else { return false }
                digits += 1
                afterHyphen = false
            }
        }
        return digits == 32 && !afterHyphen
    }

    /// Decimal digits with a sign and blanks around them; out of range is an error of its own.
    private static func integerFault<Number: FixedWidthInteger>(
        _ text: String, _: Number.Type, _ type: String, _ name: String?
    ) -> APIError? {
        let digits = self.trimmed(text)
        let unsigned =
            digits.first == UInt8(ascii: "-") || digits.first == UInt8(ascii: "+") ? digits.dropFirst() : digits
        guard !unsigned.isEmpty, unsigned.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return self.refusal("22P02", "invalid input syntax for type \(type): \(self.echo(text))", name)
        }
        guard Number(String(decoding: digits, as: UTF8.self)) == nil else { return nil }
        return self.refusal("22003", "value \(self.echo(text)) is out of range for type \(type)", name)
    }

    /// Beyond what the JSON rules let through: Postgres would write it out.
    private static func isHuge(_ text: String) -> Bool {
        let parts = text.utf8.split(maxSplits: 1, whereSeparator: { $0 | 0x20 == UInt8(ascii: "e") })
        let digits = parts.first?.count { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? 0
        guard digits <= JSONScanner.maxDigits else { return true }
        guard parts.count > 1 else { return false }
        let exponent = parts[1].drop { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }
            .prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        // One that is no number, as in a word, is for Postgres to refuse; one too long to be read is too large.
        guard !exponent.isEmpty else { return text.utf8.count > JSONScanner.maxDigits }
        return Int(String(Substring(exponent))).map { $0 > JSONScanner.maxExponent } ?? true
    }

    private static let booleans: Set<String> = [
        "t", "tr", "tru", "true", "f", "fa", "fal", "fals", "false", "y", "ye", "yes", "n", "no", "on", "of", "off",
        "1",
        "0",
    ]

    private static func isBoolean(_ text: String) -> Bool {
        self.booleans.contains(String(decoding: self.trimmed(text), as: UTF8.self).lowercased())
    }

    private static func trimmed(_ text: String) -> ArraySlice<UInt8> {
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0d).contains($0) }
        var bytes = Array(text.utf8)[...].drop(while: isBlank)
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        return bytes
    }

    /// The words of intervals and times, as far as Postgres tells them apart. Names of time zones are not among them:
    /// times come with an offset.
    private static let timeWords: Set<String> = [
        "ad", "ago", "am", "apr", "april", "aug", "august", "bc", "cent", "centuries", "century", "day", "days", "dec",
        "decade", "decades", "december", "decs", "epoch", "feb", "february", "fri", "friday", "gmt", "hour", "hours",
        "hr",
        "hrs", "infinity", "jan", "january", "jul", "july", "jun", "june", "mar", "march", "may", "microsecond",
        "microseconds", "mil", "millennia", "millennium", "millisecond", "milliseconds", "mils", "min", "mins",
        "minute",
        "minutes", "mon", "monday", "mons", "month", "months", "ms", "msec", "msecs", "nov", "november", "now", "oct",
        "october", "pm", "sat", "saturday", "sec", "second", "seconds", "secs", "sep", "sept", "september", "sun",
        "sunday", "thu", "thursday", "today", "tomorrow", "tue", "tuesday", "us", "usec", "usecs", "utc", "wed",
        "wednesday", "week", "weeks", "year", "years", "yesterday", "yr", "yrs",
    ]

    /// Digits, marks and known words only: no prose. Whether they make sense together is for Postgres to say.
    private static func looksLikeTime(_ text: String) -> Bool {
        let bytes = Array(text.lowercased().utf8)
        guard bytes.count <= self.longestTime else { return false }
        let isLetter: (UInt8) -> Bool = { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        let marks = Set("0123456789+-:./,@ ".utf8)
        guard bytes.allSatisfy({ isLetter($0) || marks.contains($0) }) else { return false }
        return bytes.split(whereSeparator: { !isLetter($0) }).allSatisfy {
            $0.count == 1 || self.timeWords.contains(String(decoding: $0, as: UTF8.self))
        }
    }

    /// The elements of a one-dimensional array in Postgres' text form; nil for anything else.
    static func elements(ofArray text: String) -> [String?]? {
        var bytes = self.trimmed(text)
        guard bytes.count >= 2, bytes.first == UInt8(ascii: "{"), bytes.last == UInt8(ascii: "}") else { return nil }
        bytes = bytes.dropFirst().dropLast()
        if self.trimmed(String(decoding: bytes, as: UTF8.self)).isEmpty { return [] }
        var elements: [String?] = []
        var current: [UInt8] = []
        var inQuotes = false
        var wasQuoted = false
        func finish() -> Bool {
            let plain = self.trimmed(String(decoding: current, as: UTF8.self))
            if wasQuoted {
                elements.append(String(decoding: current, as: UTF8.self))
            } else {
                guard !plain.isEmpty else { return false }
                let element = String(decoding: plain, as: UTF8.self)
                elements.append(element.lowercased() == "null" ? nil : element)
            }
            current = []
            wasQuoted = false
            return true
        }
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "\\"):
                guard let next = bytes.popFirst() else { return nil }
                current.append(next)
            case UInt8(ascii: "\""):
                guard inQuotes || (!wasQuoted && self.trimmed(String(decoding: current, as: UTF8.self)).isEmpty) else {
                    return nil
                }
                if !inQuotes { current = [] }
                inQuotes.toggle()
                wasQuoted = true
            case _ where inQuotes: current.append(byte)
            case UInt8(ascii: ","): guard finish() else { return nil }
            case UInt8(ascii: "{"), UInt8(ascii: "}"): return nil
            case 0x20 where wasQuoted: break
            default:
                guard !wasQuoted else { return nil }
                current.append(byte)
            }
        }
        return !inQuotes && finish() ? elements : nil
    }
}
