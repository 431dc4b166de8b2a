internal import Glibc

/// Whole files, read with a limit.
///
/// Not by Foundation's `Data(contentsOf:)`: that of Swift 6.3 on Linux leaks a page for every file that says it is
/// empty, as those of /proc do.
public enum FileText {
    /// Why a file was not read.
    public struct ReadError: Error, Sendable, CustomStringConvertible {
        public let path: String
        public let reason: String
        public var description: String { "'\(self.path)' cannot be read: \(self.reason)" }
    }

    /// - Parameter limit: a file of more bytes is refused.
    public static func bytes(of path: String, limit: Int = 16 * 1024 * 1024) throws(ReadError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ReadError(path: path, reason: Self.reason) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                guard errno == EINTR else { throw ReadError(path: path, reason: Self.reason) }
                continue
            }
            guard bytes.count + count <= limit else { throw ReadError(path: path, reason: "it is too large") }
            bytes += buffer[..<count]
        }
    }

    /// Nil if the file cannot be read or is not UTF-8.
    public static func string(of path: String, limit: Int = 16 * 1024 * 1024) -> String? {
        guard let bytes = try? self.bytes(of: path, limit: limit) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The last `count` bytes of a file as text; empty if it cannot be read.
    public static func end(of path: String, count: Int) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        let size = lseek(descriptor, 0, SEEK_END)
        var buffer = [UInt8](repeating: 0, count: count)
        let length = pread(descriptor, &buffer, count, max(0, size - count))
        return String(decoding: buffer[..<max(0, length)], as: UTF8.self)
    }

    private static var reason: String { String(cString: strerror(errno)) }
}
