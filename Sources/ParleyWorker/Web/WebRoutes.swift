internal import Support
internal import WebServer

/// The web client: its page at `/`, its files for good below `/web/<hash>/`.
///
/// `/web/latest/<path>` leads to a file under the hash of now, for pages of other origins that import the components.
struct WebRoutes: Sendable {
    private let tree: WebTree
    private let prefix: String
    /// Pages and others that are asked for anew each time, by path.
    private let pages: [String: WebTree.File]
    private let demo: DemoUsers?

    /// - Parameter demo: users to try it with, offered at `/demo`; nil: there is no such path.
    init(_ tree: WebTree, demo: DemoUsers?) {
        self.tree = tree
        self.prefix = "/web/\(tree.hash)/"
        self.demo = demo
        var names = ["/": "web/index.html", "/sw.js": "web/sw.js"]
        if demo != nil { names["/demo"] = "web/demo.html" }
        var pages: [String: WebTree.File] = [:]
        for (path, name) in names {
            guard let file = tree.files[name] else { continue }
            let text = String(decoding: file.bytes, as: UTF8.self)
            // A page names its files as its neighbours, so that it can be opened from any server of files.
            let isPage = name.hasSuffix(".html")
            pages[path] = isPage ? WebTree.File(file.contentType, Array(Self.page(text, tree, self.prefix).utf8)) : file
        }
        self.pages = pages
    }

    /// A page with its modules named in front of its script, and its files below the prefix.
    private static func page(_ text: String, _ tree: WebTree, _ prefix: String) -> String {
        let script = #"<script type="module" src="./"#
        guard let start = text.firstRange(of: script) else { return self.rebased(text, prefix) }
        let name = text[start.upperBound...].prefix { $0 != "\"" }
        let links = tree.modules(of: "web/" + name).map { #"<link rel="modulepreload" href="../\#($0)">"# + "\n" }
        return self.rebased(text[..<start.lowerBound] + links.joined() + text[start.lowerBound...], prefix)
    }

    /// `href="./app.css"` and `src="../src/parley.js"` as they are below the prefix.
    private static func rebased(_ text: some StringProtocol, _ prefix: String) -> String {
        text.split(separator: "\"", omittingEmptySubsequences: false).map { part in
            if part.hasPrefix("./") { return prefix + "web/" + part.dropFirst(2) }
            if part.hasPrefix("../") { return prefix + part.dropFirst(3) }
            return String(part)
        }.joined(separator: "\"")
    }

    /// Answers a request for a path of the web client. - Returns: false for any other path.
    func handle(_ request: HTTPRequest, _ responder: HTTPResponder) -> Bool {
        guard let response = self.response(to: request) else { return false }
        responder.respond(response)
        return true
    }

    func response(to request: HTTPRequest) -> HTTPResponse? {
        guard let found = self.find(request) else { return nil }
        guard request.method == "GET" || request.method == "HEAD" else {
            return HTTPResponse(status: 405, headers: [("Allow", "GET, HEAD")])
        }
        return found
    }

    private func find(_ request: HTTPRequest) -> HTTPResponse? {
        let path = request.path
        if let page = self.pages[path] { return Self.answer(request, page, Self.pageHeaders) }
        if path == DemoUsers.path { return self.demo?.response(to: request) }
        if path.hasPrefix(self.prefix) {
            return self.tree.files[String(path.dropFirst(self.prefix.count))].map { file in
                Self.answer(request, file, Self.fileHeaders)
            }
        }
        let latest = "/web/latest/"
        guard path.hasPrefix(latest), self.tree.files[String(path.dropFirst(latest.count))] != nil else { return nil }
        return HTTPResponse(
            status: 302,
            headers: [
                ("Location", self.prefix + path.dropFirst(latest.count)), ("Cache-Control", "no-cache"),
                ("Access-Control-Allow-Origin", "*"), ("Cross-Origin-Resource-Policy", "cross-origin"),
            ])
    }

    // MARK: - Answers

    /// Nothing but the page's own files, and no text that becomes markup.
    static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob: data:",
        "media-src 'self' blob:", "connect-src 'self'", "worker-src 'self'", "manifest-src 'self'", "frame-src 'self'",
        "frame-ancestors 'self'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'",
        "trusted-types parley",
    ].joined(separator: "; ")

    private static let guards = [
        ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Content-Security-Policy", policy),
    ]
    private static let pageHeaders =
        Self.guards + [
            ("Cache-Control", "no-cache"), ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Permissions-Policy", "camera=(self), microphone=(self), geolocation=()"),
        ]
    private static let fileHeaders =
        Self.guards + [
            ("Cache-Control", "public, max-age=31536000, immutable"), ("Access-Control-Allow-Origin", "*"),
            ("Cross-Origin-Resource-Policy", "cross-origin"),
        ]

    private static func answer(
        _ request: HTTPRequest, _ file: WebTree.File, _ headers: [(String, String)]
    ) -> HTTPResponse {
        let gzip = self.accepts("gzip", request.headers["accept-encoding"]) ? file.gzip : nil
        let tag = "\"\(file.hash)\(gzip == nil ? "" : "-gzip")\""
        var headers = headers + [("Content-Type", file.contentType), ("ETag", tag), ("Vary", "Accept-Encoding")]
        if self.names(tag, request.headers["if-none-match"]) { return HTTPResponse(status: 304, headers: headers) }
        if gzip != nil { headers.append(("Content-Encoding", "gzip")) }
        return HTTPResponse(status: 200, headers: headers, body: gzip ?? file.bytes)
    }

    /// RFC 9110, 12.5.3, for a coding that is named; `*` alone is served plain.
    static func accepts(_ coding: String, _ header: String?) -> Bool {
        (header ?? "").lowercased().split(separator: ",").contains { part in
            let words = part.split(separator: ";").map { $0.filter { !$0.isWhitespace } }
            guard words.first == coding else { return false }
            let weight = words.dropFirst().first { $0.hasPrefix("q=") }?.dropFirst(2) ?? "1"
            return Double(weight).map { $0 > 0 } ?? false
        }
    }

    /// RFC 9110, 13.1.2: compared weakly.
    static func names(_ tag: String, _ header: String?) -> Bool {
        (header ?? "").split(separator: ",").contains { part in
            let given = part.filter { !$0.isWhitespace }
            return given == "*" || given == tag || given == "W/" + tag
        }
    }
}
