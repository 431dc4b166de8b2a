internal import FoundationEssentials
internal import Glibc

/// A folder of log files: of each record one for each day (UTC), as `access-2026-11-30.log`, kept for as many days as are
/// said of the record. Several workers may share a folder.
public final class LogFolder: Sendable {
    private struct File {
        var day: String
        var descriptor: Int32
    }

    private let path: String
    private let days: [Log.Record: Int]
    private let now: @Sendable () -> Int64
    private let files = Locked<[Log.Record: File]>([:])

    /// - Parameter days: how long the files of a record are kept; one that is not in it is kept for good.
    /// - Throws: when no file can be made in the folder.
    public convenience init(_ path: String, days: [Log.Record: Int]) throws(LogFolderError) {
        try self.init(path, days: days, now: { Int64(time(nil)) })
    }

    /// - Parameter now: seconds since 1970.
    init(_ path: String, days: [Log.Record: Int], now: @escaping @Sendable () -> Int64) throws(LogFolderError) {
        self.path = path
        self.days = days
        self.now = now
        let reason = self.files.withLock { files in
            self.open(.application, &files) == nil ? String(cString: strerror(errno)) : nil
        }
        if let reason { throw LogFolderError(path: path, reason: reason) }
        self.forget()
    }

    deinit { self.files.withLock { for file in $0.values { close(file.descriptor) } } }

    /// Appends the line; what cannot be written there goes to standard error.
    public func write(_ line: Log.Line) {
        let bytes = Array((line.text + "\n").utf8)
        // Under the lock, for another thread may close the file of yesterday, and its number then be somebody's socket.
        let written = self.files.withLock { files in
            self.open(line.record, &files).map { descriptor in
                // Appended in one call, so lines of several workers do not mix.
                bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            }
        }
        if written != bytes.count { Log.toStandardError(line) }
    }

    /// Deletes the files that are older than their record is kept. To be called now and then.
    public func forget() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: self.path)) ?? []
        for (record, days) in self.days {
            let oldest = Self.day(self.now() - Int64(days) * 86400)
            for name in names where name.hasPrefix(record.rawValue + "-") && name.hasSuffix(".log") {
                let day = name.dropFirst(record.rawValue.count + 1).dropLast(4)
                // dates of one length rise as texts do
                if day.count == oldest.count, day < oldest { unlink("\(self.path)/\(name)") }
            }
        }
    }

    /// The file of today, to be written to before the lock is given back.
    private func open(_ record: Log.Record, _ files: inout [Log.Record: File]) -> Int32? {
        let day = Self.day(self.now())
        if let file = files[record] {
            if file.day == day { return file.descriptor }
            close(file.descriptor)
            files[record] = nil
        }
        let path = "\(self.path)/\(record.rawValue)-\(day).log"
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard descriptor >= 0 else { return nil }
        files[record] = File(day: day, descriptor: descriptor)
        return descriptor
    }

    private static func day(_ seconds: Int64) -> String {
        String(Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601).prefix(10))
    }
}

/// Why a folder cannot take logs.
public struct LogFolderError: Error, CustomStringConvertible {
    public let path: String
    public let reason: String
    public var description: String { "no log can be written to '\(self.path)': \(self.reason)" }
}
