import FoundationEssentials
import Glibc
import Testing
import WebServer

@testable import ParleyWorker

@Suite struct WebRoutesTests {
    private let tree = WebTree([
        "web/index.html": Array(#"<script type="module" src="./app.js"></script><a href="../src/x.js">"#.utf8),
        "web/demo.html": Array("<p>demo".utf8),
        "web/app.js": Array(("// gone\n" + String(repeating: "let a = 1\n", count: 100)).utf8),
        "web/sw.js": Array("1".utf8), "web/notes.txt": Array("secret".utf8),
    ])

    private func get(
        _ path: String, _ method: String = "GET", _ headers: [String: String] = [:], peer: String = "127.0.0.1",
        demo: Bool = false
    ) -> HTTPResponse? {
        let routes = WebRoutes(self.tree, demo: demo ? DemoUsers { Array("{}".utf8) } : nil)
        return routes.response(to: HTTPRequest(method: method, path: path, headers: headers, peer: peer))
    }

    private func header(_ name: String, _ response: HTTPResponse?) -> String? {
        response?.headers.first { $0.0 == name }?.1
    }

    @Test func aPageNamesItsFilesByTheHashOfAll() throws {
        let page = try #require(self.get("/"))
        let base = "/web/\(self.tree.hash)"
        #expect(
            String(decoding: page.body, as: UTF8.self)
                == #"<script type="module" src="\#(base)/web/app.js"></script><a href="\#(base)/src/x.js">"#)
        #expect(self.header("Cache-Control", page) == "no-cache")
        #expect(self.header("Content-Security-Policy", page)?.contains("unsafe") == false)
        #expect(self.get(base + "/src/x.js") == nil)
        let code = try #require(self.get(base + "/web/app.js"))
        #expect(self.header("Cache-Control", code) == "public, max-age=31536000, immutable")
        #expect(self.header("Content-Type", code) == "text/javascript; charset=utf-8")
        #expect(!String(decoding: code.body, as: UTF8.self).contains("gone"))
        #expect(self.get("/web/0000000000000000/web/app.js") == nil)
        let latest = self.get("/web/latest/web/app.js")
        #expect(latest?.status == 302 && self.header("Location", latest) == base + "/web/app.js")
    }

    @Test func aPageNamesTheModulesThatItNeeds() throws {
        let tree = WebTree([
            "web/index.html": Array(#"<p><script type="module" src="./app.js"></script>"#.utf8),
            "web/app.js": Array(
                "import { a,\n b } from \"../src/a.js\"\nimport \"./b.js\"\nconst c = import(\"./lazy.js\")".utf8),
            "web/b.js": Array("export * from \"../src/a.js\"\nimport x from \"../../../etc/passwd\"".utf8),
            "src/a.js": Array("import \"../web/app.js\"\n// import \"./gone.js\"".utf8), "src/gone.js": [],
            "web/lazy.js": [],
        ])
        let page = try #require(WebRoutes(tree, demo: nil).response(to: HTTPRequest(method: "GET", path: "/")))
        let base = "/web/\(tree.hash)/"
        let links = ["src/a.js", "web/b.js"].map { #"<link rel="modulepreload" href="\#(base)\#($0)">"# + "\n" }
            .joined()
        #expect(
            String(decoding: page.body, as: UTF8.self)
                == #"<p>\#(links)<script type="module" src="\#(base)web/app.js"></script>"#)
    }

    @Test func theCoreIsOneModule() throws {
        let tree = WebTree([
            "src/parley.js": Array("import { a } from \"./a.js\";\nexport const b = a;".utf8),
            "src/a.js": Array("export const a = 1; // gone".utf8),
            "web/app.js": Array("import { b } from \"../src/parley.js\";".utf8),
        ])
        #expect(
            tree.files["src/parley.js"].map { String(decoding: $0.bytes, as: UTF8.self) }
                == "const a=1;const b=a;export{b};\n")
        #expect(tree.files["src/a.js"].map { String(decoding: $0.bytes, as: UTF8.self) } == "export const a=1;")
        #expect(tree.modules(of: "web/app.js") == ["src/parley.js"])
    }

    @Test func anotherTextIsAnotherHash() {
        let (one, two) = (WebTree(["web/a.js": [0x31]]), WebTree(["web/a.js": [0x32]]))
        #expect(one.hash != two.hash && one.hash != WebTree(["web/b.js": [0x31]]).hash)
    }

    @Test(arguments: [
        "/web/x/../../etc/passwd", "/../etc/passwd", "/web/latest/../../etc/passwd", "/web/latest/web/notes.txt",
        "/web/",
        "/web/latest/", "/web/latest/%77eb/app.js", "/index.html", "/demo", "/demo/users.json", "/web/index.html", "//",
    ])
    func nothingElseIsThere(path: String) {
        #expect(self.get(path) == nil)
        #expect(self.get("/web/\(self.tree.hash)/../" + path) == nil)
    }

    @Test func packedForThoseWhoCanUnpackIt() throws {
        let path = "/web/\(self.tree.hash)/web/app.js"
        let (plain, packed) = (self.get(path), self.get(path, "GET", ["accept-encoding": "br, gzip;q=0.8"]))
        #expect(self.header("Content-Encoding", plain) == nil && self.header("Content-Encoding", packed) == "gzip")
        #expect(try #require(packed).body.count < (try #require(plain)).body.count)
        #expect(self.header("ETag", plain) != self.header("ETag", packed))
        #expect(self.header("Vary", plain) == "Accept-Encoding")
        for refused in ["gzip;q=0", "gzip; q=0.0", "x-gzip", "*", ""] {
            #expect(
                self.header("Content-Encoding", self.get(path, "GET", ["accept-encoding": refused])) == nil,
                "\(refused)")
        }
    }

    @Test func aKnownTagIsNotSentAgain() throws {
        let tag = try #require(self.header("ETag", self.get("/")))
        for header in [tag, "W/" + tag, "\"x\", " + tag, "*"] {
            let answer = self.get("/", "GET", ["if-none-match": header])
            #expect(answer?.status == 304 && answer?.body.isEmpty == true)
            #expect(self.header("ETag", answer) == tag && self.header("Cache-Control", answer) == "no-cache")
        }
        #expect(self.get("/", "GET", ["if-none-match": "\"x\""])?.status == 200)
    }

    @Test func onlyReads() {
        #expect(self.get("/", "HEAD")?.status == 200)
        #expect(self.get("/", "POST")?.status == 405)
        #expect(self.header("Allow", self.get("/", "DELETE")) == "GET, HEAD")
        #expect(self.get("/nothing", "POST") == nil)
    }

    @Test(
        arguments: [
            ("127.0.0.1", "localhost:4000", "same-origin", 200), ("127.0.0.1", "127.0.0.1", nil, 200),
            ("::1", "[::1]:4000", "none", 200), ("::ffff:127.0.0.1", "127.0.0.1:1", nil, 200),
            ("192.0.2.1", "localhost:4000", nil, 403), ("127.0.0.1", "evil.example:4000", nil, 403),
            ("127.0.0.1", "127.evil.example", nil, 403), ("127.0.0.1", "localhost.evil.example", nil, 403),
            ("127.0.0.1", "localhost:4000", "cross-site", 403), ("127.0.0.1", "localhost", "same-site", 403),
            ("127.0.0.1", "", nil, 403),
        ] as [(String, String, String?, Int)])
    func demoUsersStayOnTheirMachine(peer: String, host: String, site: String?, status: Int) {
        var headers = ["host": host]
        headers["sec-fetch-site"] = site
        let answer = self.get("/demo/users.json", "GET", headers, peer: peer, demo: true)
        #expect(answer?.status == status)
        #expect(self.header("Access-Control-Allow-Origin", answer) == nil)
        #expect(self.get("/demo", demo: true)?.status == 200)
    }

    @Test func readsAFolderAndNothingOutsideOfIt() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/parley-web-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder + "/web/icons", withIntermediateDirectories: true)
        #expect(throws: ConfigurationError.self) { try WebTree(folder) }
        for name in ["web/index.html", "web/icons/a.svg", "web/.hidden.js", "package.json", "web/readme.md"] {
            try Data("x".utf8).write(to: URL(filePath: folder + "/" + name))
        }
        #expect(symlink("/etc/hostname", folder + "/web/out.js") == 0 && symlink("/etc", folder + "/web/etc") == 0)
        #expect(try WebTree(folder).files.keys.sorted() == ["web/icons/a.svg", "web/index.html"])
    }

    @Test func aFolderThatIsTooLargeIsRefused() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/parley-web-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder + "/web", withIntermediateDirectories: true)
        try Data("x".utf8).write(to: URL(filePath: folder + "/web/index.html"))
        try Data(count: WebTree.maxBytes).write(to: URL(filePath: folder + "/web/large.js"))
        let error = #expect(throws: ConfigurationError.self) { try WebTree(folder) }
        #expect(error?.description.contains("too large") == true)
    }
}
