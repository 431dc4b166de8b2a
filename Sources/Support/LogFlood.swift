/// Which lines of a flood are written: of each kind the first ten of a minute, then each hundredth.
///
/// A kind is a constant of the program, so there are few of them.
struct LogFlood: Sendable {
    private struct Kind: Sendable {
        var minute: Int64
        var count = 0
        var leftOut = 0
    }

    private var kinds: [String: Kind] = [:]
    static let first = 10
    static let each = 100

    /// - Returns: nil when the line is to be left out, else how many like it were left out since the last one.
    mutating func admit(_ kind: String, minute: Int64) -> Int? {
        var state = self.kinds[kind] ?? Kind(minute: minute)
        defer { self.kinds[kind] = state }
        if state.minute != minute {
            state.minute = minute
            state.count = 0
        }
        state.count += 1
        guard state.count <= Self.first || state.count % Self.each == 0 else {
            state.leftOut += 1
            return nil
        }
        defer { state.leftOut = 0 }
        return state.leftOut
    }
}
