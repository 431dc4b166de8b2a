internal import Glibc

/// The file of an export while it is written: what is behind a known length is cut off, then pages are appended.
struct ExportFile: ~Copyable {
    private let descriptor: Int32
    let path: String

    /// Opens or makes the file, readable by its owner alone, and makes it `length` bytes long.
    ///
    /// - Parameter length: as the database knows it; a longer file has a page that was never reported.
    init(path: String, length: Int) throws(ExportFileError) {
        self.path = path
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw ExportFileError(path) }
        let end = lseek(descriptor, 0, SEEK_END)
        guard end >= length, ftruncate(descriptor, length) == 0, lseek(descriptor, length, SEEK_SET) == length else {
            let error = ExportFileError(path, isShort: end >= 0 && end < length)
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit { close(self.descriptor) }

    /// Returns when the bytes are on the disk: only then may the database be told of them.
    func append(_ bytes: [UInt8]) throws(ExportFileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(self.descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw ExportFileError(self.path) }
            rest = rest.dropFirst(count)
        }
        guard fdatasync(self.descriptor) == 0 else { throw ExportFileError(self.path) }
    }

    /// One that is not there is fine.
    static func delete(path: String) throws(ExportFileError) {
        guard unlink(path) == 0 || errno == ENOENT else { throw ExportFileError(path) }
    }
}

/// Why a file of an export could not be written or deleted.
struct ExportFileError: Error, CustomStringConvertible {
    let description: String
    /// The file has lost what was in it: the export must be begun anew.
    let isShort: Bool

    init(_ path: String, isShort: Bool = false) {
        self.isShort = isShort
        let reason = isShort ? "it is shorter than what was written" : String(cString: strerror(errno))
        self.description = "'\(path)': \(reason)"
    }
}
