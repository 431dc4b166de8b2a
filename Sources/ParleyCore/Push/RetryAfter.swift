/// The header Retry-After (RFC 9110 section 10.2.3).
public enum RetryAfter {
    /// The longest that anybody is believed.
    static let longest = Duration.seconds(24 * 3600)
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// The time to wait: a number of seconds, or a date as in `Sun, 06 Nov 1994 08:49:37 GMT`; nil for anything else.
    ///
    /// - Parameter now: milliseconds since 1970.
    public static func parse(_ text: String, now: Int64) -> Duration? {
        let text = text.filter { $0 != "\t" }
        if !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return Int64(text).map { min(.seconds($0), Self.longest) } ?? Self.longest
        }
        guard let date = Self.date(text) else { return nil }
        return max(.zero, min(.milliseconds(date * 1000 - now), Self.longest))
    }

    /// Seconds since 1970 of an IMF-fixdate.
    private static func date(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[0].hasSuffix(","), words[5] == "GMT", let day = Int64(words[1]),
            let month = Self.months.firstIndex(of: String(words[2])), let year = Int64(words[3]),
            (1...31).contains(day), (1970...9999).contains(year)
        else { return nil }
        let time = words[4].split(separator: ":", omittingEmptySubsequences: false).compactMap { Int64($0) }
        guard time.count == 3, (0...23).contains(time[0]), (0...59).contains(time[1]), (0...60).contains(time[2])
        else { return nil }
        return Self.days(year, Int64(month) + 1, day) * 86_400 + time[0] * 3600 + time[1] * 60 + time[2]
    }

    /// Days from 1970-01-01 in the Gregorian calendar; years begin in March, so that a leap day is the last.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let year = month > 2 ? year : year - 1
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return year * 365 + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
    }
}
