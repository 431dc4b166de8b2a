internal import FoundationEssentials
internal import Support

/// The access record: of requests and commands of sockets, what was asked for, by whom, and how it ended. No address, no
/// argument, no content.
final class AccessLog: Sendable {
    enum Door: String, Sendable { case http, socket, broadcast }

    private let log: Log
    private let ids: LogIDs
    private let percent: Int
    private let slow: Duration
    private let dice: @Sendable () -> Int

    /// - Parameters:
    ///   - percent: how many of a hundred requests are written. One that failed here (a status of 500 and above) always is.
    ///   - slow: so is one that took longer.
    ///   - dice: a number from 0 to 99.
    init(
        percent: Int, slow: Duration, ids: LogIDs, log: Log,
        dice: @escaping @Sendable () -> Int = { Int.random(in: 0..<100) }
    ) {
        self.percent = percent
        self.slow = slow
        self.ids = ids
        self.log = log
        self.dice = dice
    }

    /// - Parameters:
    ///   - target: a function or view that there is; nil where what was asked for is only the client's word.
    ///   - user: nil for a request of the application, or of nobody.
    func note(_ door: Door, _ target: String?, user: UUID?, status: Int, since start: Int64) {
        let failed = status >= 500
        let microseconds = max(0, Clock.steadyNanoseconds() - start) / 1000
        let isSlow = Duration.microseconds(microseconds) > self.slow
        guard failed || isSlow || self.percent == 100 || self.percent > 0 && self.dice() < self.percent else { return }
        self.log.access(
            isSlow ? "slow request" : "request",
            [
                ("door", door.rawValue), ("target", target ?? "-"), ("status", "\(status)"),
                ("user", user.map(self.ids.text) ?? "-"), ("us", "\(microseconds)"),
            ])
    }
}
