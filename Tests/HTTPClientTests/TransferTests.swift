import CCurl
import Testing

@testable import HTTPClient

/// What counts as an answer when libcurl says that the transfer failed.
@Suite struct TransferTests {
    private func status(_ lines: [String], body: String = "", _ result: CURLcode) throws -> Int? {
        let transfer = try Transfer(
            .init(.post, "https://push.example", body: []), configuration: HTTPConfiguration(maxBodyBytes: 10))
        for line in lines { _ = Array((line + "\r\n").utf8).withUnsafeBytes { transfer.receive(line: $0) } }
        _ = Array(body.utf8).withUnsafeBytes { transfer.receive($0) }
        return try? transfer.outcome(result).get().status
    }

    @Test func anAnswerThatIsWholeCountsHoweverItsTransferEnds() throws {
        let answer = ["HTTP/2 200", "content-length: 2", ""]
        for result in [CURLE_HTTP2_STREAM, CURLE_OPERATION_TIMEDOUT, CURLE_SEND_ERROR] {
            #expect(try self.status(answer, body: "ok", result) == 200)
            #expect(try self.status(["HTTP/2 204", ""], result) == 204)
            #expect(try self.status(["HTTP/1.1 304 Not Modified", ""], result) == 304)
        }
    }

    @Test func partOfAnAnswerIsNone() throws {
        #expect(try self.status(["HTTP/2 200", "content-length: 2", ""], body: "o", CURLE_OPERATION_TIMEDOUT) == nil)
        #expect(try self.status(["HTTP/2 200", "content-length: 0"], CURLE_OPERATION_TIMEDOUT) == nil, "more headers")
        #expect(try self.status(["HTTP/2 200", ""], body: "ok", CURLE_HTTP2_STREAM) == nil, "nobody knows its length")
        #expect(try self.status(["HTTP/2 204", "", "HTTP/2 103"], CURLE_OPERATION_TIMEDOUT) == nil, "an interim one")
        #expect(try self.status(["HTTP/2 103", "content-length: 0", ""], CURLE_OPERATION_TIMEDOUT) == nil)
    }

    @Test func anAnswerThatIsTooLargeIsNone() throws {
        let answer = ["HTTP/2 204", ""]
        #expect(try self.status(answer, body: String(repeating: "x", count: 11), CURLE_WRITE_ERROR) == nil)
    }
}
