internal import Compression
internal import Crypto
internal import FoundationEssentials
internal import Glibc
internal import Support

/// The files of the web client, read once: what is not in here cannot be asked for.
struct WebTree: Sendable {
    struct File: Sendable {
        var contentType: String
        var bytes: [UInt8]
        /// Nil where it would not be smaller.
        var gzip: [UInt8]?
        /// Of the bytes, in hexadecimal.
        var hash: String

        init(_ contentType: String, _ bytes: [UInt8]) {
            self.contentType = contentType
            self.bytes = bytes
            let gzip = Gzip.compress(bytes)
            self.gzip = gzip.count < bytes.count ? gzip : nil
            self.hash = String(SHA256.hex(bytes).prefix(16))
        }
    }

    /// The folders of a package that are served; the rest is for its makers.
    static let folders = ["web", "components", "src"]
    /// Served with all that it imports, as one module.
    static let bundle = "src/parley.js"
    static let maxFiles = 500
    static let maxBytes = 8 * 1024 * 1024
    private static let contentTypes = [
        "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "html": "text/html; charset=utf-8",
        "svg": "image/svg+xml", "png": "image/png", "webmanifest": "application/manifest+json",
    ]

    /// By path relative to the folder: `web/app.js`.
    let files: [String: File]
    /// Names the whole: another content, another hash.
    let hash: String

    /// Reads the folder of a package: `web/index.html` is its page.
    ///
    /// - Throws: ``ConfigurationError`` for a folder that is not one, or is too large to hold.
    init(_ folder: String) throws(ConfigurationError) {
        func invalid(_ words: String) -> ConfigurationError {
            ConfigurationError(.invalid, setting: "--web (PARLEY_WEB)", words)
        }
        guard access(folder + "/web/index.html", R_OK) == 0 else {
            throw invalid("'\(folder)' has no web/index.html; name the folder of the web client")
        }
        var texts: [String: [UInt8]] = [:]
        var bytes = 0
        for path in Self.folders.flatMap({ Self.paths(in: folder, below: $0) }) {
            guard Self.contentType(path) != nil else { continue }
            do throws(FileText.ReadError) {
                texts[path] = try FileText.bytes(of: folder + "/" + path, limit: Self.maxBytes - bytes)
            } catch {
                throw invalid("\(error)")
            }
            bytes += texts[path]?.count ?? 0
            guard texts.count <= Self.maxFiles else {
                throw invalid("'\(folder)' holds more than \(Self.maxFiles) files; name the folder of the web client")
            }
        }
        self.init(texts)
    }

    /// - Parameter texts: by path, as they were written.
    init(_ texts: [String: [UInt8]]) {
        var files: [String: File] = [:]
        let scripts = texts.filter { $0.key.hasSuffix(".js") }.mapValues { String(decoding: $0, as: UTF8.self) }
        for (path, bytes) in texts {
            guard let type = Self.contentType(path) else { continue }
            var text: String?
            if let script = scripts[path] {
                text = path == Self.bundle ? ScriptBundle.join(path, of: scripts) : nil
                text = text ?? ScriptText.compact(script)
            } else if path.hasSuffix(".css") {
                text = StyleText.withoutComments(String(decoding: bytes, as: UTF8.self))
            }
            files[path] = File(type, text.map { Array($0.utf8) } ?? bytes)
        }
        let list = files.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.hash)\n" }.joined()
        self.hash = String(SHA256.hex(Array(list.utf8)).prefix(16))
        self.files = files
    }

    private static func contentType(_ path: String) -> String? {
        path.split(separator: ".").last.flatMap { self.contentTypes[String($0)] }
    }

    /// Regular files; links are not followed, so nothing outside of the folder is read.
    private static func paths(in folder: String, below path: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/" + path)) ?? []
        return names.filter { !$0.hasPrefix(".") }.flatMap { name -> [String] in
            let below = path + "/" + name
            var status = stat()
            guard lstat(folder + "/" + below, &status) == 0 else { return [] }
            switch status.st_mode & S_IFMT {
            case S_IFREG: return [below]
            case S_IFDIR: return self.paths(in: folder, below: below)
            default: return []
            }
        }
    }
}
