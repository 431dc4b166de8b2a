import FoundationEssentials
import Glibc
import Testing

@testable import Support

@Suite struct LogTests {
    private final class Lines: Sendable {
        private let lines = Locked<[Log.Line]>([])
        func append(_ line: Log.Line) { self.lines.withLock { $0.append(line) } }
        var all: [Log.Line] { self.lines.withLock { $0 } }
    }

    @Test func eachLineSaysItsRecord() {
        let lines = Lines()
        let log = Log(label: "test", threshold: .warning, sink: lines.append)
        log.info("dropped")
        log.warning("a warning")
        log.access("request", [("status", "200")])
        #expect(lines.all.map(\.record) == [.error, .access])
        #expect(lines.all[0].text.contains(#""record":"error","level":"warning","label":"test","msg":"a warning""#))
        #expect(lines.all[1].text.contains(#""record":"access""#) && lines.all[1].text.contains(#""status":"200""#))
    }

    @Test func ofAFloodSomeLinesAreLeftOutAndCounted() {
        var flood = LogFlood()
        let first = (1...250).map { _ in flood.admit("a", minute: 1) }
        let written = first.enumerated().filter { $0.element != nil }
        #expect(written.map { $0.offset + 1 } == Array(1...10) + [100, 200])
        #expect(written.map(\.element) == Array(repeating: 0, count: 10) + [89, 99])
        #expect(flood.admit("b", minute: 1) == 0)
        #expect(flood.admit("a", minute: 2) == 50)
        #expect(flood.admit("a", minute: 2) == 0)
    }

    @Test func onlyWarningsAndErrorsAreLeftOut() {
        let lines = Lines()
        let log = Log(label: "test", sink: lines.append)
        for _ in 0..<50 {
            log.info("often")
            log.access("request", [])
        }
        #expect(lines.all.count == 100)
        for _ in 0..<50 { log.labelled("other").error("often") }
        // a flood that begins shortly before a minute ends is counted twice
        #expect((110...120).contains(lines.all.count))
    }

    @Test func aFolderHasAFileForEachRecordAndDayAndForgetsOldOnes() throws {
        let path = FileManager.default.temporaryDirectory.path() + "/parley-log-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: path) }
        func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
        let now = Locked<Int64>(1_767_225_600)  // 2026-01-01
        let folder = try LogFolder(path, days: [.application: 30, .access: 90], now: { now.withLock { $0 } })
        let log = Log(label: "test", sink: folder.write)
        log.info("one")
        log.access("request", [])
        log.error("three")
        _ = FileManager.default.createFile(atPath: path + "/access-notes.log", contents: nil)
        now.withLock { $0 += 31 * 86400 }
        log.info("two")
        folder.forget()
        #expect(
            try names() == [
                "access-2026-01-01.log", "access-notes.log", "application-2026-02-01.log", "error-2026-01-01.log",
            ])
        now.withLock { $0 += 60 * 86400 }
        folder.forget()
        #expect(try names() == ["access-notes.log", "error-2026-01-01.log"])
        let text = try String(contentsOf: URL(filePath: path + "/error-2026-01-01.log"), encoding: .utf8)
        #expect(text.hasSuffix("}\n") && text.contains("three") && !text.contains("one"))
    }

    @Test func aLineThatAFullDiskCutOffIsNotGoneOnWith() throws {
        let path = FileManager.default.temporaryDirectory.path() + "/parley-log-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: path) }
        // The disk is a limit of the size of files, so high that it is one for this file alone: it begins with a hole.
        let file = open(path + "/application-2026-01-01.log", O_RDWR | O_CREAT, 0o600)
        defer { close(file) }
        let hole = off_t(1) << 36
        #expect(pwrite(file, "\n", 1, hole - 1) == 1)
        signal(SIGXFSZ, SIG_IGN)
        var before = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before)
        func limit(_ bytes: rlim_t) {
            var now = rlimit(rlim_cur: bytes, rlim_max: before.rlim_max)
            #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &now) == 0)
        }
        defer { limit(before.rlim_cur) }
        func folder() throws -> LogFolder { try LogFolder(path, days: [:], now: { 1_767_225_600 }) }
        let full = try folder()
        limit(rlim_t(hole) + 10)
        full.write(Log.Line(.application, "first, of which a part fits"))
        full.write(Log.Line(.application, "second"))
        limit(rlim_t(hole) + 20)
        full.write(Log.Line(.application, "third, of which a part fits"))
        limit(before.rlim_cur)
        full.write(Log.Line(.application, "fourth"))
        full.write(Log.Line(.application, "fifth"))
        limit(rlim_t(hole) + 40)
        full.write(Log.Line(.application, "sixth, of which a part fits"))
        limit(before.rlim_cur)
        // and a worker that comes after it
        try folder().write(Log.Line(.application, "seventh"))
        var bytes = [UInt8](repeating: 0, count: 200)
        let count = pread(file, &bytes, bytes.count, hole)
        #expect(
            String(decoding: bytes.prefix(count), as: UTF8.self)
                == "first, of \nthird, of\nfourth\nfifth\nsixth,\nseventh\n")
    }

    @Test func atMidnightEveryLineOfEveryThreadGoesToTheFolder() async throws {
        let path = FileManager.default.temporaryDirectory.path() + "/parley-log-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: path) }
        // It is midnight all the time.
        let now = Locked<Int64>(0)
        let folder = try LogFolder(
            path, days: [:],
            now: {
                now.withLock { time in
                    time = 86400 - time
                    return time
                }
            })
        let foreign = path + "/foreign"
        let (threads, lines) = (8, 5000)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<threads {
                group.addTask {
                    for _ in 0..<lines { folder.write(Log.Line(.application, "line")) }
                }
            }
            group.addTask {
                for _ in 0..<lines { close(open(foreign, O_WRONLY | O_CREAT | O_APPEND, 0o600)) }
            }
        }
        // Foundation loses 4 KB when it reads an empty file.
        var status = stat()
        #expect(stat(foreign, &status) == 0 && status.st_size == 0)
        let written = try ["1970-01-01", "1970-01-02"].map { day in
            try String(contentsOf: URL(filePath: "\(path)/application-\(day).log"), encoding: .utf8).utf8.count
        }
        #expect(written.reduce(0, +) == threads * lines * 5)
    }

    @Test func aFolderThatIsNotThereIsNamed() {
        #expect(throws: LogFolderError.self) { try LogFolder("/nowhere/at/all", days: [:]) }
    }
}
