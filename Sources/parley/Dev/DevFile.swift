internal import FoundationEssentials
internal import Glibc
internal import ParleyCore

/// `.parley/dev.json`: everything a program needs to use a running `parley dev`.
enum DevFile {
    static func path(in folder: String) -> String { folder + "/.parley/dev.json" }

    /// The secret of the project in `folder`, if `parley dev` was ever ready there.
    static func secret(in folder: String) -> String? {
        guard let data = try? Data(contentsOf: URL(filePath: self.path(in: folder))) else { return nil }
        return (try? JSONValue.parse(Array(data)))?["jwt_secret"]?.string
    }

    /// Writes a file that only its owner reads, whole or not at all.
    static func write(_ text: [UInt8], to path: String) throws(CommandError) {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw CommandError("'\(temporary)' cannot be written: \(self.reason)") }
        let written = text.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        let isSafe = written == text.count && fchmod(descriptor, 0o600) == 0 && fsync(descriptor) == 0
        close(descriptor)
        guard isSafe, rename(temporary, path) == 0 else {
            throw CommandError("'\(path)' cannot be written: \(self.reason)")
        }
    }

    private static var reason: String { String(cString: strerror(errno)) }
}
