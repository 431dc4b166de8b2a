internal import FoundationEssentials
internal import Testing

@testable internal import ParleyCore

@Suite struct TopicTests {
    static let text = "0190163d-8694-739b-aea5-966c26f8ad91"
    static let id = UUID(uuidString: Self.text)!

    @Test(
        arguments: [
            ("user:\(Self.text)", .user(Self.id)), ("conversation:\(Self.text)", .conversation(Self.id)),
            ("tenant:\(Self.text):moderation", .moderation(Self.id)),
            ("user:\(Self.text.uppercased())", .user(Self.id)), ("USER:\(Self.text)", .other("USER:\(Self.text)")),
            ("user:", .other("user:")), ("user:\(Self.text) ", .other("user:\(Self.text) ")),
            ("user:{\(Self.text)}", .other("user:{\(Self.text)}")),
            ("tenant:\(Self.text)", .other("tenant:\(Self.text)")),
            ("tenant:\(Self.text):Moderation", .other("tenant:\(Self.text):Moderation")),
            ("room:1", .other("room:1")), ("", .other("")), ("realtime:user:1", .other("realtime:user:1")),
        ] as [(String, Topic)])
    func reads(_ subTopic: String, _ expected: Topic) {
        let topic = Topic(subTopic: subTopic)
        #expect(topic == expected)
        #expect(Topic(wire: "realtime:" + subTopic) == expected)
        #expect(Topic(subTopic: topic.subTopic) == topic)
        if case .other = topic {
            #expect(topic.subTopic == subTopic)
        } else {
            #expect(topic.subTopic == subTopic.lowercased())
        }
        #expect(topic.wire == "realtime:" + topic.subTopic)
    }

    @Test(arguments: ["", "realtime", "Realtime:user", "phoenix", "xrealtime:a"])
    func refusesOtherPrefixes(_ wire: String) {
        #expect(Topic(wire: wire) == nil)
        #expect(Topic.subTopic(ofWire: wire) == nil)
    }

    @Test func uuidsRoundTrip() {
        for _ in 0..<500 {
            let id = UUID()
            #expect(id.lowercaseText == id.uuidString.lowercased())
            #expect(UUID(text: id.uuidString) == id)
            #expect(UUID(text: Array(id.lowercaseText.utf8)) == id)
        }
    }

    @Test func refusesOtherUUIDTexts() {
        let good = utf8(Self.text)
        for place in good.indices {
            for byte in utf8("g:-/`@{ 0") where byte != good[place] {
                var bad = good
                bad[place] = byte
                let mayBeDigit = byte == UInt8(ascii: "0") && good[place] != UInt8(ascii: "-")
                #expect((UUID(text: bad) != nil) == mayBeDigit)
            }
        }
        #expect(UUID(text: Array(good.dropLast())) == nil)
        #expect(UUID(text: good + [0x30]) == nil)
        #expect(UUID(text: [UInt8]()) == nil)
        #expect(UUID(text: "") == nil)
    }
}
