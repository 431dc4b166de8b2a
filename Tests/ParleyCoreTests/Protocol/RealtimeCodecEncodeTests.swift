internal import Testing

@testable internal import ParleyCore

@Suite struct RealtimeCodecEncodeTests {
    static let topic = "realtime:room:1"

    @Test func replies() {
        let first = RealtimeCodec.reply(.v1, joinRef: "11", ref: "12", topic: Self.topic, status: .ok)
        #expect(
            first.string
                == #"{"topic":"realtime:room:1","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"12"}"#
        )
        let second = RealtimeCodec.reply(
            .v2, joinRef: "11", ref: "12", topic: Self.topic, status: .error, response: utf8(#"{"a":[1]}"#))
        #expect(
            second.string == #"["11","12","realtime:room:1","phx_reply",{"status":"error","response":{"a":[1]}}]"#)
        let heartbeat = RealtimeCodec.reply(.v2, joinRef: nil, ref: "9", topic: "phoenix", status: .ok)
        #expect(heartbeat.string == #"[null,"9","phoenix","phx_reply",{"status":"ok","response":{}}]"#)
        let python = RealtimeCodec.reply(.v1, joinRef: nil, ref: nil, topic: "phoenix", status: .ok)
        #expect(
            python.string
                == #"{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":null}"#)
    }

    @Test(arguments: [
        ("", "{}"), ("  ", "{}"), ("[1]", #"{"result":[1]}"#), ("\"x\"", #"{"result":"x"}"#), (" {} ", " {} "),
    ])
    func responseIsAlwaysAnObject(_ response: String, _ sent: String) {
        let reply = RealtimeCodec.reply(
            .v2, joinRef: nil, ref: "1", topic: "t", status: .ok, response: utf8(response))
        #expect(reply.string == #"[null,"1","t","phx_reply",{"status":"ok","response":\#(sent)}]"#)
        #expect(reply.json?.array?[4]["response"]?.object != nil)
    }

    @Test func errorRepliesCarryAReason() {
        let reply = RealtimeCodec.errorReply(
            .v2, joinRef: "1", ref: "1", topic: "realtime:\"x\"",
            reason: ProtocolText.Join.unauthorized(subTopic: "\"x\"\n"))
        let text = #"Unauthorized: You do not have permissions to read from this Channel topic: \"x\"\n"#
        #expect(
            reply.string
                == #"["1","1","realtime:\"x\"","phx_reply",{"status":"error","response":{"reason":"\#(text)"}}]"#)
    }

    @Test func pushesHaveTheKeysOfTheirVersion() {
        let first = RealtimeCodec.push(.v1, joinRef: "6", topic: "t", event: "e", payload: utf8("[ 1 ]"))
        #expect(first.string == #"{"topic":"t","event":"e","payload":[ 1 ],"ref":null}"#)
        let second = RealtimeCodec.push(.v2, joinRef: "6", topic: "t", event: "e", payload: utf8("[ 1 ]"))
        #expect(second.string == #"["6",null,"t","e",[ 1 ]]"#)
    }

    @Test func closesCarryTheJoinRef() {
        #expect(
            RealtimeCodec.close(.v1, joinRef: "6", topic: "t").string
                == #"{"topic":"t","event":"phx_close","payload":{},"ref":"6"}"#)
        #expect(RealtimeCodec.close(.v2, joinRef: "6", topic: "t").string == #"["6","6","t","phx_close",{}]"#)
        #expect(RealtimeCodec.close(.v2, joinRef: nil, topic: "t").string == #"[null,null,"t","phx_close",{}]"#)
    }

    @Test func systemMessagesHaveFourKeysAndNoRef() {
        let message = RealtimeCodec.system(
            .v1, topic: Self.topic, status: .error, message: ProtocolText.System.expired(secondsAgo: 2))
        let payload =
            #"{"channel":"room:1","extension":"system","message":"Token has expired 2 seconds ago","status":"error"}"#
        #expect(message.string == #"{"topic":"realtime:room:1","event":"system","payload":\#(payload),"ref":null}"#)
        let second = RealtimeCodec.system(
            .v2, joinRef: "6", topic: Self.topic, extension: "postgres_changes", status: .ok, message: "m")
        #expect(
            second.string
                == #"["6",null,"realtime:room:1","system","#
                + #"{"channel":"room:1","extension":"postgres_changes","message":"m","status":"ok"}]"#)
    }

    @Test func durableEventsAreTextWithMeta() {
        let template = BroadcastTemplate(
            event: "message:new", body: .json(utf8(#"{ "n":1.0 }"#)), metaID: "42", replayed: true)
        let payload =
            #"{"type":"broadcast","event":"message:new","payload":{ "n":1.0 },"meta":{"id":"42","replayed":true}}"#
        #expect(
            template.encode(.v1, topic: Self.topic)?.string
                == #"{"topic":"realtime:room:1","event":"broadcast","payload":\#(payload),"ref":null}"#)
        #expect(
            template.encode(.v2, topic: Self.topic)?.string
                == #"[null,null,"realtime:room:1","broadcast",\#(payload)]"#)
    }

    private static func broadcast(
        _ version: SerializerVersion, topic: String, event: String, body: BroadcastBody
    ) -> WirePayload? {
        BroadcastTemplate(event: event, body: body).encode(version, topic: topic)
    }

    @Test func ephemeralEventsAreKind4() throws {
        let json = Self.broadcast(
            .v2, topic: "realtime:é", event: "typing:start", body: .json(utf8(#"{"a":1}"#)))
        #expect(json?.data == [4, 11, 12, 0, 1] + utf8(#"realtime:étyping:start{"a":1}"#))
        let binary = Self.broadcast(.v2, topic: "t", event: "e", body: .binary([0, 255]))
        #expect(binary?.data == [4, 1, 1, 0, 0, 0x74, 0x65, 0, 255])
        #expect(Self.broadcast(.v1, topic: "t", event: "e", body: .binary([1])) == nil)
        #expect(
            Self.broadcast(.v1, topic: "t", event: "e", body: .json(utf8("{}")))?.string
                == #"{"topic":"t","event":"broadcast","payload":{"type":"broadcast","event":"e","payload":{}},"ref":null}"#
        )
    }

    @Test func fallsBackToTextWhereKind4CannotCarryIt() {
        let fits = String(repeating: "e", count: 255)
        let long = fits + "e"
        #expect(
            Self.broadcast(.v2, topic: fits, event: fits, body: .json(utf8("{}")))?.data?[1...2] == [255, 255])
        #expect(
            Self.broadcast(.v2, topic: long, event: "e", body: .json(utf8("{}")))?.json?.array?[2]
                == .string(long))
        #expect(
            Self.broadcast(.v2, topic: "t", event: long, body: .json(utf8("{}")))?.json?.array?[4]["event"]
                == .string(long))
        let meta = utf8(#"{"k":"\#(long)"}"#)
        #expect(
            BroadcastTemplate(event: "e", body: .json(utf8("{}")), metadata: meta).encode(.v2, topic: "t")?.json?
                .array?[4]["meta"]?["k"] == .string(long))
        // Swift's client reads kind 4 JSON as an object.
        #expect(
            Self.broadcast(.v2, topic: "t", event: "e", body: .json(utf8("[1]")))?.string
                == #"[null,null,"t","broadcast",{"type":"broadcast","event":"e","payload":[1]}]"#)
        #expect(Self.broadcast(.v2, topic: long, event: "e", body: .binary([1])) == nil)
        #expect(Self.broadcast(.v2, topic: "t", event: long, body: .binary([1])) == nil)
    }

    @Test func forwardsBroadcasts() throws {
        // Text goes on verbatim to both versions, unknown members included.
        let payload = #"{ "type":"broadcast","event":"hi","payload":7 ,"x":1.0}"#
        let text = try RealtimeCodec.decode(text: utf8(#"["6","7","t","broadcast",\#(payload)]"#), version: .v2)
        let broadcast = try #require(ClientBroadcast(text))
        #expect(broadcast.event == "hi")
        #expect(broadcast.body == .json(utf8("7")))
        #expect(!broadcast.carriesMeta)
        #expect(broadcast.encode(.v2, topic: "t")?.string == #"[null,null,"t","broadcast",\#(payload)]"#)
        #expect(
            broadcast.encode(.v1, topic: "t")?.string
                == #"{"topic":"t","event":"broadcast","payload":\#(payload),"ref":null}"#)

        // A kind 3 frame becomes kind 4 or text, its JSON byte for byte.
        let json = try #require(
            ClientBroadcast(
                try RealtimeCodec.decode(binary: Push(payload: utf8("{ \"a\":1.0 }")).bytes, version: .v2)))
        #expect(json.encode(.v2, topic: "t")?.data == [4, 1, 2, 0, 1] + utf8("thi{ \"a\":1.0 }"))
        #expect(
            json.encode(.v1, topic: "t")?.string
                == #"{"topic":"t","event":"broadcast","payload":{"type":"broadcast","event":"hi","payload":{ "a":1.0 }},"ref":null}"#
        )
        let binary = try #require(
            ClientBroadcast(
                try RealtimeCodec.decode(binary: Push(payload: [1, 2, 255], encoding: 0).bytes, version: .v2)))
        #expect(binary.encode(.v2, topic: "t")?.data == [4, 1, 2, 0, 0] + utf8("thi") + [1, 2, 255])
        #expect(binary.encode(.v1, topic: "t") == nil)
    }

    @Test func seesMetaThatClientsForge() throws {
        for (payload, carries) in [
            (#"{"event":"e","meta":{"id":"1"}}"#, true), (#"{"event":"e","m\u0065ta":{}}"#, true),
            (#"{"event":"e","payload":{"meta":1}}"#, false),
        ] {
            let message = ClientMessage(
                joinRef: nil, ref: nil, topic: "t", event: "broadcast", payload: .json(utf8(payload)))
            #expect(ClientBroadcast(message)?.carriesMeta == carries)
        }
        let frame = try RealtimeCodec.decode(binary: Push(metadata: #"{"id":"1"}"#).bytes, version: .v2)
        #expect(ClientBroadcast(frame)?.carriesMeta == true)
    }

    @Test(arguments: ["[]", "1", "{}", #"{"event":1}"#, #"{"event":"a","event":"b"}"#, #"{"payload":{}}"#])
    func broadcastsNeedAnEvent(_ payload: String) {
        let message = ClientMessage(
            joinRef: nil, ref: nil, topic: "t", event: "broadcast", payload: .json(utf8(payload)))
        #expect(ClientBroadcast(message) == nil)
    }

    @Test func encodedTextIsValidForEveryName() {
        var fuzz = Fuzz("Encode")
        for _ in 0..<500 {
            let topic = fuzz.string()
            let event = fuzz.string()
            let ref = fuzz.string()
            let value = fuzz.value(depth: 3)
            for payload in [
                RealtimeCodec.push(
                    .v1, joinRef: ref, topic: topic, event: event, payload: value.serialized(), ref: ref),
                RealtimeCodec.push(
                    .v2, joinRef: ref, topic: topic, event: event, payload: value.serialized(), ref: ref),
            ] {
                guard let json = payload.json else {
                    Issue.record("not JSON, seed \(fuzz.seed)")
                    continue
                }
                if let array = json.array {
                    let expected: [JSONValue] = [.string(ref), .string(ref), .string(topic), .string(event), value]
                    #expect(array == expected, "seed \(fuzz.seed)")
                } else {
                    let expected: JSONObject = [
                        "topic": .string(topic), "event": .string(event), "payload": value, "ref": .string(ref),
                    ]
                    #expect(json == .object(expected), "seed \(fuzz.seed)")
                }
            }
        }
    }
}
