import FoundationEssentials
import Testing

@testable import Support

@Suite struct FileTextTests {
    private func withFile(_ content: [UInt8], _ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.path + "/parley-file-\(UUID().uuidString)"
        try Data(content).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    @Test(arguments: [0, 1, 16 * 1024, 100_000])
    func readsTheWholeFile(count: Int) throws {
        let content = (0..<count).map { UInt8(truncatingIfNeeded: $0 % 251) }
        try self.withFile(content) { path in
            let (whole, bounded) = (try FileText.bytes(of: path), try FileText.bytes(of: path, limit: count))
            #expect(whole == content && bounded == content)
            if count > 0 {
                #expect(throws: FileText.ReadError.self) { try FileText.bytes(of: path, limit: count - 1) }
            }
        }
    }

    @Test func readsTextOnlyIfItIsText() throws {
        try self.withFile(Array("é\n".utf8)) { #expect(FileText.string(of: $0) == "é\n") }
        try self.withFile([0xff]) { #expect(FileText.string(of: $0) == nil) }
        #expect(FileText.string(of: "/no/such/file") == nil)
        #expect(FileText.string(of: "/proc/self/cmdline")?.isEmpty == false)
    }

    @Test func readsTheEnd() throws {
        try self.withFile(Array("one two".utf8)) { path in
            #expect(FileText.end(of: path, count: 3) == "two")
            #expect(FileText.end(of: path, count: 100) == "one two")
        }
        #expect(FileText.end(of: "/no/such/file", count: 3) == "")
    }
}
