import Crypto
import FoundationEssentials
import ParleyCore
import Support
import Testing

@testable import ParleyWorker

@Suite struct AccessLogTests {
    private final class Lines: Sendable {
        private let lines = Locked<[String]>([])
        func append(_ line: Log.Line) { self.lines.withLock { $0.append(line.text) } }
        var all: [String] { self.lines.withLock { $0 } }
    }

    private static let user = UUID(uuidString: "6f1c2d3e-0000-4000-8000-00000000000a")!

    @Test func aSampleOfRequestsAndEveryFailureIsWritten() {
        let lines = Lines()
        let turns = Locked(0)
        let dice: @Sendable () -> Int = {
            turns.withLock { turn in
                turn += 1
                return (turn * 37) % 100
            }
        }
        let access = AccessLog(
            percent: 25, slow: .seconds(1), ids: LogIDs(), log: Log(label: "access", sink: lines.append),
            dice: dice)
        let now = Clock.steadyNanoseconds()
        for _ in 0..<100 { access.note(.http, "send_message", user: nil, status: 200, since: now) }
        #expect(lines.all.count == 25)
        for _ in 0..<40 { access.note(.socket, "send_message", user: nil, status: 503, since: now) }
        #expect(lines.all.count == 65)
        for _ in 0..<40 { access.note(.socket, "send_message", user: nil, status: 200, since: now - 2_000_000_000) }
        #expect(lines.all.count == 105)
    }

    @Test(arguments: [(0, 0), (100, 7)]) func noneOrAll(percent: Int, expected: Int) {
        let lines = Lines()
        let access = AccessLog(
            percent: percent, slow: .seconds(1), ids: LogIDs(), log: Log(label: "access", sink: lines.append))
        for _ in 0..<7 { access.note(.http, nil, user: nil, status: 404, since: Clock.steadyNanoseconds()) }
        #expect(lines.all.count == expected)
    }

    @Test func aSlowRequestIsAlwaysWritten() {
        let lines = Lines()
        let access = AccessLog(
            percent: 0, slow: .milliseconds(500), ids: LogIDs(), log: Log(label: "access", sink: lines.append))
        let now = Clock.steadyNanoseconds()
        access.note(.socket, "send_message", user: nil, status: 200, since: now - 400_000_000)
        access.note(.socket, "send_message", user: nil, status: 200, since: now - 600_000_000)
        #expect(lines.all.count == 1)
        #expect(lines.all[0].contains(#""msg":"slow request","door":"socket","target":"send_message""#))
        #expect(lines.all[0].contains(#""us":"60"#))
    }

    @Test func idsAreHashedUntilTheDatabaseShowsThemAndWithEachSaltOtherwise() {
        let ids = LogIDs()
        let unknown = ids.text(Self.user)
        ids.use(salt: [1, 2, 3])
        let first = ids.text(Self.user)
        ids.use(salt: [1, 2, 4])
        let second = ids.text(Self.user)
        #expect(Set([unknown, first, second]).count == 3)
        #expect([unknown, first, second].allSatisfy { $0.count == 16 && $0.allSatisfy(\.isHexDigit) })
        ids.use(salt: nil)
        #expect(ids.text(Self.user) == "6f1c2d3e-0000-4000-8000-00000000000a")
    }
}
