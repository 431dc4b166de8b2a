internal import Testing

@testable internal import ParleyCore

@Suite struct RawJSONTests {
    @Test func picksMembersByteForByte() throws {
        let payload = "{ \"x\" : [1.0 , {\"topic\":\"no\"}],\"é\":\"\\u00e9\" }"
        let text = " {\"skip\":[[]],\"payload\" : \(payload) ,\"to\\u0070ic\":\"a\\nb\",\"ref\":null} "
        let found = try RawJSON.pick(["topic", "event", "payload", "ref"], from: utf8(text))
        #expect(found[0]?.string == "a\nb")
        #expect(found[1] == nil)
        #expect(found[2]?.bytes == utf8(payload))
        #expect(found[2]?.kind == .object)
        #expect(found[3]?.isNull == true)
        let inner = try #require(try found[2]?.pick(["x", "é", "missing"]))
        #expect(inner[0]?.bytes == utf8("[1.0 , {\"topic\":\"no\"}]"))
        #expect(inner[1]?.string == "é")
        #expect(inner[2] == nil)
        #expect(inner[0]?.elements(limit: 9)?[1]["topic"]?.string == "no")
    }

    @Test func distinguishesPrefixesOfNames() throws {
        let found = try RawJSON.pick(["ref", "re", "refs", ""], from: utf8(#"{"r":0,"re":1,"ref":2,"refs":3,"":4}"#))
        #expect(found.map { $0?.int64 } == [2, 1, 3, 4])
    }

    @Test func duplicatesConcernPickedNames() throws {
        let text = utf8(#"{"a":1,"z":1,"z":2,"\u0061":2}"#)
        #expect(try RawJSON.pick(["z"], from: text, duplicateKeys: .keepLast)[0]?.int64 == 2)
        #expect(try RawJSON.pick(["q"], from: text)[0] == nil)
        #expect(throws: JSONError(.duplicateKey, at: 19)) { try RawJSON.pick(["a"], from: text) }
        #expect(try RawJSON(text)["a"]?.int64 == 2)
    }

    @Test(arguments: ["[]", "1", "\"{}\"", "null"])
    func refusesOtherValues(_ text: String) throws {
        #expect(throws: JSONError(.notAnObject, at: 0)) { try RawJSON.pick(["a"], from: utf8(text)) }
        #expect(throws: JSONError(.notAnObject, at: 0)) { try RawJSON(utf8(text)).pick(["a"]) }
        #expect(try RawJSON(utf8(text))["a"] == nil)
    }

    @Test func validatesWhatItSkips() {
        for text in [#"{"a":1,"b":}"#, #"{"a":1,"b":[1,}"#, #"{"a":1}}"#, #"{"a":1,"b":"\ud800"}"#, #"{"a":1"#] {
            #expect(throws: JSONError.self) { try RawJSON.pick(["a"], from: utf8(text)) }
        }
        let deep = "{\"a\":1,\"b\":" + String(repeating: "[", count: 64) + String(repeating: "]", count: 64) + "}"
        #expect(throws: JSONError(.tooDeep, at: 74)) { try RawJSON.pick(["a"], from: utf8(deep)) }
    }

    @Test func readsScalars() throws {
        let values = try #require(
            try RawJSON(utf8(#"[null,true,false,12,"é","\ud83d\ude00",{},[]]"#)).elements(limit: 99))
        #expect(values.map(\.kind) == [.null, .bool, .bool, .number, .string, .string, .object, .array])
        #expect(values[1].bool == true)
        #expect(values[2].bool == false)
        #expect(values[3].int64 == 12)
        #expect(values[3].string == nil)
        #expect(values[4].string == "é")
        #expect(values[5].string == "😀")
        #expect(values[5].int64 == nil)
        #expect(values[6].elements(limit: 1) == nil)
        #expect(values[7].elements(limit: 1)?.isEmpty == true)
    }

    @Test func limitsElements() throws {
        let array = try RawJSON(utf8("[" + Array(repeating: "1", count: 5000).joined(separator: ",") + "]"))
        #expect(array.elements(limit: 3)?.count == 3)
    }
}
