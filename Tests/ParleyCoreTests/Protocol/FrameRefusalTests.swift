import Testing

@testable import ParleyCore

/// A frame that names a ref is answered, whatever is wrong with it.
struct FrameRefusalTests {
    private func refusal(_ text: String, _ version: SerializerVersion) throws -> JSONValue? {
        let bytes = [UInt8](text.utf8)
        do {
            _ = try RealtimeCodec.decode(text: bytes, version: version)
            Issue.record("decoded: \(text)")
            return nil
        } catch {
            guard case .text(let answer)? = RealtimeCodec.refusal(ofText: bytes, error, version) else { return nil }
            return try JSONValue.parse(answer)
        }
    }

    private static let deep = String(repeating: "[", count: 70) + String(repeating: "]", count: 70)

    @Test(arguments: [
        (#"{"content":"Preview \ud83d"}"#, "lone surrogate"), (#"{"a":"\udc00 x"}"#, "lone surrogate"),
        (Self.deep, "nested too deep"), ("{\"a\":1e999999}", "too large an exponent"), ("{", "unexpected byte"),
        ("{\"a\":tru}", "unexpected byte"), ("", "unexpected byte"), ("\"a\nb\"", "control character"),
    ]) func theAnswerSaysWhy(_ payload: String, _ why: String) throws {
        let second = try #require(try self.refusal(#"["1","7","realtime:x","broadcast",\#(payload)]"#, .v2)?.array)
        #expect(second[0] == "1" && second[1] == "7" && second[2] == "realtime:x" && second[3] == "phx_reply")
        #expect(second[4]["status"] == "error")
        #expect(second[4]["response"]?["reason"]?.string?.contains(why) == true)
        #expect(second[4]["response"]?["code"] == "PT400" && second[4]["response"]?["message"] != nil)
        guard payload != "{" else { return }
        let first = try #require(
            try self.refusal(
                #"{"topic":"realtime:x","event":"broadcast","ref":"7","join_ref":"1","payload":\#(payload)}"#, .v1))
        #expect(first["topic"] == "realtime:x" && first["ref"] == "7" && first["event"] == "phx_reply")
        #expect(first["payload"]?["response"]?["reason"]?.string?.contains(why) == true)
    }

    @Test func refsThatAreNumbersComeBackAsNumbers() throws {
        let second = try #require(try self.refusal(#"[1,2,"realtime:x","phx_leave",{}]"#, .v2)?.array)
        #expect(second[0] == 1 && second[1] == 2)
        #expect(second[4]["response"]?["reason"]?.string?.contains("wrong type") == true)
        let first = try #require(
            try self.refusal(#"{"topic":"realtime:x","event":"phx_leave","payload":{},"ref":2}"#, .v1))
        #expect(first["ref"] == 2)
    }

    @Test func aHeartbeatWithoutPayloadIsAnswered() throws {
        let first = try #require(try self.refusal(#"{"topic":"phoenix","event":"heartbeat","ref":"3"}"#, .v1))
        #expect(first["payload"]?["response"]?["reason"]?.string?.contains("missing member") == true)
        let second = try #require(try self.refusal(#"[null,"3","phoenix","heartbeat"]"#, .v2)?.array)
        #expect(second[0] == .null && second[1] == "3" && second[2] == "phoenix")
    }

    @Test(arguments: [
        "", "{", "[]", "[1,2,3,4,5]", "null", #"["1",null,"realtime:x","e",{]"#, #"["1","\ud800","realtime:x","e",{]"#,
        #"["1","2","realtime:\ud800","e",{}]"#, #"["1",{},"realtime:x","e",{}]"#, #"["1","2"#, #"["1","2\"#,
    ]) func nobodyWaitsForTheAnswerToAFrameWithoutRefOrTopic(_ text: String) throws {
        #expect(try self.refusal(text, .v2) == nil)
    }

    @Test func refsTooLongAreNotRepeated() throws {
        let long = String(repeating: "r", count: 300)
        #expect(try self.refusal(#"["1","\#(long)","realtime:x","e",{}]"#, .v2) == nil)
    }

    @Test func binaryFrames() throws {
        func frame(_ encoding: UInt8, _ body: String, ref: String = "9") -> [UInt8] {
            [3, 1, UInt8(ref.utf8.count), 10, 2, 0, encoding] + [UInt8]("1\(ref)realtime:xhi\(body)".utf8)
        }
        for bytes in [frame(1, #"{"a":"\ud83d"}"#), frame(7, "{}"), frame(1, "{")] {
            let error = try #require(throws: ProtocolError.self) {
                try RealtimeCodec.decode(binary: bytes, version: .v2)
            }
            guard case .text(let answer)? = RealtimeCodec.refusal(ofBinary: bytes, error, .v2) else {
                Issue.record("no answer")
                continue
            }
            #expect(try JSONValue.parse(answer).array?[1] == "9")
        }
        // An empty topic is one, and is repeated.
        let empty: [UInt8] = [3, 0, 1, 0, 2, 0, 7] + [UInt8]("9hi{}".utf8)
        guard case .text(let answer)? = RealtimeCodec.refusal(ofBinary: empty, ProtocolError(.notJSON), .v2) else {
            Issue.record("no answer")
            return
        }
        #expect(try JSONValue.parse(answer).array?[1...2] == ["9", ""])
        let unnamed = frame(1, "{", ref: "")
        let error = try #require(throws: ProtocolError.self) { try RealtimeCodec.decode(binary: unnamed, version: .v2) }
        #expect(RealtimeCodec.refusal(ofBinary: unnamed, error, .v2) == nil)
    }

    /// Whatever comes, what goes out is one frame of the serializer.
    @Test func anythingIsAnsweredInForm() throws {
        var fuzz = SystemRandomNumberGenerator()
        let pieces = [
            "[", "]", "{", "}", ",", ":", "\"", "\\", "\"1\"", "\"realtime:x\"", "\"ref\"", "\"topic\"", "7", "é", " ",
        ]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0..<16, using: &fuzz)).map { _ in pieces.randomElement(using: &fuzz) ?? "" }
                .joined()
            for version in [SerializerVersion.v1, .v2] {
                let answer = RealtimeCodec.refusal(ofText: [UInt8](text.utf8), ProtocolError(.notJSON), version)
                guard case .text(let bytes)? = answer else { continue }
                _ = try JSONValue.parse(bytes)
            }
        }
    }
}
