internal import Testing

@testable internal import ParleyCore

/// Frames from clients, by the cases of the protocol's conformance list.
@Suite struct RealtimeCodecDecodeTests {
    static let topic = "realtime:room:1"

    @Test func readsWhatStockClientsSend() throws {
        // JavaScript's join and the Python client's, and its heartbeat with null refs.
        let join =
            #"{"config":{"broadcast":{"ack":true,"self":true},"presence":{"key":"me","enabled":true},"#
            + #""postgres_changes":[],"private":true},"access_token":"a.b.c"}"#
        let second = try RealtimeCodec.decode(
            text: utf8(#"["6","6","realtime:room:1","phx_join",\#(join)]"#), version: .v2)
        #expect(
            second
                == ClientMessage(
                    joinRef: "6", ref: "6", topic: Self.topic, event: "phx_join", payload: .json(utf8(join))))
        let first = try RealtimeCodec.decode(
            text: utf8(#"{"event":"phx_join","payload":\#(join),"topic":"realtime:room:1","ref":"6","join_ref":"6"}"#),
            version: .v1)
        #expect(first == second)
        let heartbeat = try RealtimeCodec.decode(
            text: utf8(#"{"event":"heartbeat","payload":{},"topic":"phoenix","ref":null,"join_ref":null}"#),
            version: .v1)
        #expect(
            heartbeat
                == ClientMessage(
                    joinRef: nil, ref: nil, topic: "phoenix", event: "heartbeat", payload: .json(utf8("{}"))))
    }

    @Test func toleratesWhatUpstreamTolerates() throws {
        let extra = try RealtimeCodec.decode(text: utf8(#" [null,"1","t","e",[ 1 ],{"more":[]},7] "#), version: .v2)
        #expect(
            extra == ClientMessage(joinRef: nil, ref: "1", topic: "t", event: "e", payload: .json(utf8("[ 1 ]"))))
        let different = try RealtimeCodec.decode(text: utf8(#"["11","12","t","phx_join",{}]"#), version: .v2)
        #expect(different.joinRef == "11")
        #expect(different.ref == "12")
        let noJoinRef = try RealtimeCodec.decode(
            text: utf8(#"{"topic":"t","event":"e","payload":null,"ref":"1","extra":{}}"#), version: .v1)
        #expect(
            noJoinRef == ClientMessage(joinRef: nil, ref: "1", topic: "t", event: "e", payload: .json(utf8("null"))))
    }

    @Test func keepsPayloadByteForByte() throws {
        let payload = "{ \"type\":\"broadcast\", \"n\": 1.0, \"s\":\"\\u00e9é\" , \"x\":[ ] }"
        for (text, version) in [
            (#"{"topic":"t","event":"broadcast","payload": \#(payload) ,"ref":"1"}"#, SerializerVersion.v1),
            (#"["1","1","t","broadcast", \#(payload) ]"#, .v2),
        ] {
            #expect(try RealtimeCodec.decode(text: utf8(text), version: version).payload == .json(utf8(payload)))
        }
    }

    @Test(
        arguments: [
            ("", .notJSON), ("{", .notJSON), ("[]", .notJSON), ("\"a\"", .notJSON), ("not json", .notJSON),
            (#"{"a":1}"#, .missingMember), ("{}", .missingMember),
            (#"{"topic":"t","event":"e","payload":{}}"#, .missingMember),
            (#"{"topic":"t","event":"e","ref":"1"}"#, .missingMember),
            (#"{"topic":"t","payload":{},"ref":"1"}"#, .missingMember),
            (#"{"event":"e","payload":{},"ref":"1"}"#, .missingMember),
            (#"{"topic":1,"event":"e","payload":{},"ref":"1"}"#, .wrongType),
            (#"{"topic":"t","event":null,"payload":{},"ref":"1"}"#, .wrongType),
            (#"{"topic":"t","event":"e","payload":{},"ref":1}"#, .wrongType),
            (#"{"topic":"t","event":"e","payload":{},"ref":"1","join_ref":1}"#, .wrongType),
            (#"{"topic":"t","event":"e","payload":{},"ref":"1","ref":"2"}"#, .notJSON),
            (#"{"topic":"t","event":"e","payload":{},"ref":"\ud800"}"#, .notJSON),
            (#"{"topic":"t","event":"e","payload":{},"ref":"1"} x"#, .notJSON),
            (#"["1","1","t","e",{}]"#, .notJSON),
        ] as [(String, ProtocolError.Code)])
    func refusesObjects(_ text: String, _ code: ProtocolError.Code) {
        #expect { try RealtimeCodec.decode(text: utf8(text), version: .v1) } throws: {
            ($0 as? ProtocolError)?.code == code
        }
    }

    @Test(
        arguments: [
            ("", .notJSON), ("[", .notJSON), ("{}", .notJSON), ("[]", .missingMember),
            (#"["1","1","t","e"]"#, .missingMember), (#"["1",1,"t","e",{}]"#, .wrongType),
            (#"[1,"1","t","e",{}]"#, .wrongType), (#"["1","1",null,"e",{}]"#, .wrongType),
            (#"["1","1","t",{},{}]"#, .wrongType), (#"["1","1","t","e",{},]"#, .notJSON),
            (#"["1","1","t","e",{}] []"#, .notJSON), (#"["1","1","t","e",{"a":}]"#, .notJSON),
            (#"["1","1","t","e",{},"\ud800"]"#, .notJSON),
        ] as [(String, ProtocolError.Code)])
    func refusesArrays(_ text: String, _ code: ProtocolError.Code) {
        #expect { try RealtimeCodec.decode(text: utf8(text), version: .v2) } throws: {
            ($0 as? ProtocolError)?.code == code
        }
    }

    @Test func boundsRefsAndDepth() throws {
        for (count, fits) in [(255, true), (256, false)] {
            let ref = String(repeating: "9", count: count)
            let text = utf8(#"["1","\#(ref)","t","e",{}]"#)
            if fits {
                #expect(try RealtimeCodec.decode(text: text, version: .v2).ref == ref)
            } else {
                #expect(throws: ProtocolError(.refTooLong)) { try RealtimeCodec.decode(text: text, version: .v2) }
            }
        }
        for (depth, fits) in [(RealtimeCodec.maxDepth - 1, true), (RealtimeCodec.maxDepth, false)] {
            let payload = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            for (text, version) in [
                (#"{"topic":"t","event":"e","payload":\#(payload),"ref":"1"}"#, SerializerVersion.v1),
                (#"["1","1","t","e",\#(payload)]"#, .v2),
            ] {
                #expect(((try? RealtimeCodec.decode(text: utf8(text), version: version)) != nil) == fits)
            }
        }
    }

    @Test func readsBinaryBroadcasts() throws {
        let json = Push(topic: "realtime:rôom:1", event: "hi:é", payload: utf8(#"{ "a":1 }"#), encoding: 1)
        #expect(
            try RealtimeCodec.decode(binary: json.bytes, version: .v2)
                == ClientMessage(
                    joinRef: "6", ref: "7", topic: "realtime:rôom:1", event: "broadcast",
                    payload: .userBroadcast(event: "hi:é", metadata: [], body: .json(utf8(#"{ "a":1 }"#)))))
        let binary = Push(joinRef: "", ref: "", metadata: #"{"k":1}"#, payload: [0, 255, 1], encoding: 0)
        #expect(
            try RealtimeCodec.decode(binary: binary.bytes, version: .v2)
                == ClientMessage(
                    joinRef: nil, ref: nil, topic: Self.topic, event: "broadcast",
                    payload: .userBroadcast(event: "hi", metadata: utf8(#"{"k":1}"#), body: .binary([0, 255, 1]))))
        let empty = Push(payload: [], encoding: 0)
        #expect(
            try RealtimeCodec.decode(binary: empty.bytes, version: .v2).payload
                == .userBroadcast(event: "hi", metadata: [], body: .binary([])))
        let long = String(repeating: "é", count: 127)
        #expect(try RealtimeCodec.decode(binary: Push(topic: long, event: long).bytes, version: .v2).topic == long)
    }

    @Test func refusesBinaryFrames() {
        let cases: [([UInt8], ProtocolError.Code)] = [
            ([], .truncated), ([3], .truncated), ([3, 0, 0, 0, 0, 0], .truncated),
            ([3, 255, 0, 0, 0, 0, 0], .truncated),
            ([0, 0, 0, 0, 0, 0, 0], .unknownKind), ([1], .unknownKind), ([2], .unknownKind), ([4], .unknownKind),
            ([255], .unknownKind), (Push(payload: utf8("{}"), encoding: 2).bytes, .unknownKind),
            (Array(Push(payload: []).bytes.dropLast()), .truncated), (Push(payload: [], encoding: 1).bytes, .notJSON),
            (Push(payload: utf8("{"), encoding: 1).bytes, .notJSON), (Push(metadata: "{", encoding: 0).bytes, .notJSON),
            (Push(metadata: "[]", encoding: 0).bytes, .wrongType), ([3, 1, 0, 0, 0, 0, 0, 0xFF], .invalidUTF8),
            ([3, 0, 1, 0, 0, 0, 0, 0xC3], .invalidUTF8), ([3, 0, 0, 1, 0, 0, 0, 0x80], .invalidUTF8),
            ([3, 0, 0, 0, 1, 0, 0, 0xED], .invalidUTF8), ([3, 0, 0, 0, 0, 1, 0, 0xFF], .notJSON),
        ]
        for (index, (frame, code)) in cases.enumerated() {
            #expect("case \(index)") { try RealtimeCodec.decode(binary: frame, version: .v2) } throws: {
                ($0 as? ProtocolError)?.code == code
            }
        }
        #expect(throws: ProtocolError(.binaryNotAllowed)) {
            try RealtimeCodec.decode(binary: Push().bytes, version: .v1)
        }
    }

    @Test func everyTruncationIsRefusedOrShortensThePayload() throws {
        let frame = Push(metadata: #"{"k":1}"#, payload: [1, 2, 3], encoding: 0).bytes
        for count in 0..<frame.count - 3 {
            #expect(throws: ProtocolError(.truncated)) {
                try RealtimeCodec.decode(binary: Array(frame.prefix(count)), version: .v2)
            }
        }
        let shortened = try RealtimeCodec.decode(binary: Array(frame.dropLast(3)), version: .v2)
        #expect(
            shortened.payload == .userBroadcast(event: "hi", metadata: utf8(#"{"k":1}"#), body: .binary([])))
    }

    @Test func survivesHostileFrames() {
        var fuzz = Fuzz("Realtime")
        let good: [[UInt8]] = [
            utf8(#"["6","7","realtime:room:1","broadcast",{"type":"broadcast","event":"é","payload":{"a":[1]}}]"#),
            utf8(#"{"topic":"realtime:a","event":"presence","payload":{"event":"track"},"ref":"1","join_ref":"1"}"#),
            utf8(#"{"config":{"broadcast":{"ack":"TRUE","replay":{"after":1}},"postgres_changes":[{"event":"*"}]}}"#),
            Push(metadata: #"{"k":1}"#, encoding: 1).bytes,
        ]
        for _ in 0..<3000 {
            var frames = good.map { fuzz.damaged($0) }
            frames.append(fuzz.bytes(upTo: 40))
            frames.append([3] + fuzz.bytes(upTo: 40))
            frames.append(fuzz.jsonSoup(upTo: 14))
            for frame in frames {
                for version in [SerializerVersion.v1, .v2] {
                    for message in [
                        try? RealtimeCodec.decode(text: frame, version: version),
                        try? RealtimeCodec.decode(binary: frame, version: version),
                    ].compactMap(\.self) {
                        self.checkForward(message, fuzz.seed)
                    }
                }
                // No reader of payloads may trap on anything either.
                _ = PresenceCommand(payload: frame)
                _ = AccessToken.update(payload: frame)
                let config = JoinConfig(payload: frame)
                #expect((try? JSONValue.parse(config.joinResponse))?["postgres_changes"] != nil, "seed \(fuzz.seed)")
            }
        }
    }

    /// Whatever was accepted can be sent on as a valid frame.
    private func checkForward(_ message: ClientMessage, _ seed: UInt64) {
        guard let broadcast = ClientBroadcast(message) else { return }
        for version in [SerializerVersion.v1, .v2] {
            guard case .text(let text)? = broadcast.encode(version, topic: message.topic) else { continue }
            #expect((try? RawJSON(text, maxDepth: RealtimeCodec.maxDepth + 2)) != nil, "seed \(seed)")
        }
    }
}

/// A kind 3 frame as clients build it.
struct Push {
    var joinRef = "6"
    var ref = "7"
    var topic = RealtimeCodecDecodeTests.topic
    var event = "hi"
    var metadata = ""
    var payload = utf8("{}")
    var encoding: UInt8 = 1

    var bytes: [UInt8] {
        let parts = [self.joinRef, self.ref, self.topic, self.event, self.metadata].map { utf8($0) }
        return [3] + parts.map { UInt8($0.count) } + [self.encoding] + parts.joined() + self.payload
    }
}
