internal import Testing

@testable internal import ParleyCore

@Suite struct JSONValueTests {
    @Test(
        arguments: [
            ("null", nil), (" true ", true), ("\tfalse\r\n", false), ("0", 0), ("-12", -12), ("\"\"", ""),
            ("[]", []), ("[ ]", []), ("{}", [:]), ("{ }", [:]), ("[1,[2,{}],{\"a\":[]}]", [1, [2, [:]], ["a": []]]),
            ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{C}\n\r\t"), ("\"\\u00e9\\uD83D\\ude00\"", "é😀"),
            ("\"\\u0000\"", "\u{0}"), ("\"\u{7F}\u{2028}\"", "\u{7F}\u{2028}"),
            ("{\"b\":1,\"a\":{\"c\":null}}", ["a": ["c": nil], "b": 1]),
        ] as [(String, JSONValue)])
    func parses(_ text: String, _ expected: JSONValue) throws {
        #expect(try JSONValue.parse(text) == expected)
        #expect(try RawJSON(utf8(text)).bytes == utf8(text.trimmed))
    }

    @Test(arguments: ["0", "-0", "1.50", "1E5", "1e-400", "123456789012345678901234567890", "-0.0e+1"])
    func keepsNumbersAsWritten(_ text: String) throws {
        let value = try JSONValue.parse(text)
        #expect(value.number?.text == text)
        #expect(value.serialized() == utf8(text))
        #expect(JSONNumber(text)?.text == text)
    }

    @Test(
        arguments: [
            ("", .unexpectedEnd, 0), (" ", .unexpectedEnd, 1), ("{", .unexpectedEnd, 1),
            ("[1", .unexpectedEnd, 2), ("\"a", .unexpectedEnd, 2), ("{\"a\"", .unexpectedEnd, 4),
            ("tru", .unexpectedEnd, 3),
            ("-", .unexpectedEnd, 1), ("1.", .unexpectedEnd, 2), ("1e", .unexpectedEnd, 2), ("\"\\", .unexpectedEnd, 2),
            ("nul1", .unexpectedByte, 3), ("True", .unexpectedByte, 0), ("'a'", .unexpectedByte, 0),
            ("[1,]", .unexpectedByte, 3), ("[,1]", .unexpectedByte, 1), ("{,}", .unexpectedByte, 1),
            ("{\"a\":1,}", .unexpectedByte, 7), ("{a:1}", .unexpectedByte, 1), ("{\"a\" 1}", .unexpectedByte, 5),
            ("{\"a\":}", .unexpectedByte, 5), ("[1 2]", .unexpectedByte, 3), ("[1}", .unexpectedByte, 2),
            ("{\"a\":1]", .unexpectedByte, 6), ("NaN", .unexpectedByte, 0), ("+1", .unexpectedByte, 0),
            (".5", .unexpectedByte, 0), ("/**/1", .unexpectedByte, 0), ("\u{FEFF}1", .unexpectedByte, 0),
            ("\u{A0}1", .unexpectedByte, 0), ("]", .unexpectedByte, 0), ("[1]]", .trailingBytes, 3),
            ("1 1", .trailingBytes, 2),
            ("{}x", .trailingBytes, 2), ("01", .invalidNumber, 0), ("-01", .invalidNumber, 1),
            ("1.e5", .invalidNumber, 2), ("1e+x", .invalidNumber, 3), ("-x", .invalidNumber, 1),
            ("0x10", .trailingBytes, 1), ("\"\\x\"", .invalidEscape, 1), ("\"\\u12g4\"", .invalidEscape, 5),
            ("\"\\u12", .unexpectedEnd, 5), ("\"a\nb\"", .controlCharacter, 2),
            ("\"\\ud800\"", .loneSurrogate, 1), ("\"\\udc00\"", .loneSurrogate, 1),
            ("\"\\ud800\\ud800\"", .loneSurrogate, 1),
            ("\"\\ud800\\n\"", .loneSurrogate, 1), ("\"\\ud800x\"", .loneSurrogate, 1),
            ("\"\\udbff\\ue000\"", .loneSurrogate, 1),
        ] as [(String, JSONError.Code, Int)])
    func refuses(_ text: String, _ code: JSONError.Code, _ offset: Int) {
        let expected = JSONError(code, at: offset)
        #expect(throws: expected) { try JSONValue.parse(text) }
        #expect(throws: expected) { try RawJSON(utf8(text)) }
    }

    @Test func refusesRawNul() {
        #expect(throws: JSONError(.trailingBytes, at: 1)) { try RawJSON(utf8("1\u{0}")) }
        #expect(throws: JSONError(.controlCharacter, at: 1)) { try RawJSON(utf8("\"\u{0}\"")) }
        #expect(throws: JSONError(.controlCharacter, at: 1)) { try JSONValue.parse("\"\u{0}\"") }
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xE2, 0x82], [0xC3],
        ] as [[UInt8]])
    func refusesWhatIsNotUTF8(_ bytes: [UInt8]) {
        let text = [UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]
        #expect(throws: JSONError(.invalidUTF8, at: 1)) { try JSONValue.parse(text) }
        #expect(throws: JSONError(.invalidUTF8, at: 1)) { try RawJSON(text) }
        #expect(throws: JSONError(.invalidUTF8, at: 0)) { try JSONValue.parse(bytes) }
    }

    @Test func boundsDepth() throws {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let inner = open == "[" ? "" : "0"
            let nested = { String(repeating: open, count: $0) + inner + String(repeating: close, count: $0) }
            for depth in [1, 2, 63, 64, 65, 128, 129, 200] {
                let text = utf8(nested(depth))
                _ = try JSONValue.parse(text, maxDepth: depth)
                _ = try RawJSON(text, maxDepth: depth)
                let refused = JSONError(.tooDeep, at: open.utf8.count * (depth - 1))
                #expect(throws: refused) { try JSONValue.parse(text, maxDepth: depth - 1) }
                #expect(throws: refused) { try RawJSON(text, maxDepth: depth - 1) }
            }
            #expect(throws: JSONError(.tooDeep, at: open.utf8.count * JSONValue.deepest)) {
                try JSONValue.parse(nested(JSONValue.deepest + 1), maxDepth: .max)
            }
            // A million levels: a recursive scanner would run out of stack.
            let million = utf8(nested(1_000_000))
            #expect(throws: JSONError(.tooDeep, at: open.utf8.count * 64)) { try RawJSON(million) }
            let many = utf8(nested(JSONScanner.maxValues - 1))
            #expect(try RawJSON(many, maxDepth: .max).bytes.count == many.count)
        }
    }

    @Test func refusesOrKeepsDuplicates() throws {
        let text = #"{"a":1,"b":{"x":0,"\u0078":2},"a":3}"#
        #expect(throws: JSONError(.duplicateKey, at: 18)) { try JSONValue.parse(text) }
        #expect(try JSONValue.parse(text, duplicateKeys: .keepLast) == ["a": 3, "b": ["x": 2]])
        let many = (0..<1000).map { "\"k\($0)\":\($0)" }
        let twice = "{" + (many + ["\"k700\":\"again\""]).joined(separator: ",") + "}"
        #expect(throws: (any Error).self) { try JSONValue.parse(twice) }
        let kept = try JSONValue.parse(twice, duplicateKeys: .keepLast)
        #expect(kept.object?.count == 1000)
        #expect(kept["k700"] == "again")
    }

    @Test func composedAndDecomposedNamesDiffer() throws {
        let text = "{\"\u{E9}\":1,\"e\u{301}\":2}"
        let value = try JSONValue.parse(text)
        #expect(value.object?.count == 2)
        #expect(value["\u{E9}"] == 1)
        #expect(value["e\u{301}"] == 2)
        #expect(JSONValue.string("\u{E9}") != .string("e\u{301}"))
        #expect(value.serialized() == utf8(text))
    }

    @Test func comparesObjectsWithoutOrder() {
        #expect(JSONValue.object(["a": 1, "b": 2]) == ["b": 2, "a": 1])
        #expect(JSONValue.object(["a": 1, "b": 2]) != ["a": 1, "c": 2])
        #expect(JSONValue.object(["a": 1]) != ["a": 1, "b": 2])
        #expect(JSONValue.object(["a": nil]) != [:])
        #expect(JSONValue.array([1, 2]) != [2, 1])
    }

    @Test func editsObjects() {
        var object: JSONObject = ["a": 1, "b": 2, "a": 3]
        #expect(object.serialized() == utf8(#"{"a":3,"b":2}"#))
        object["c"] = "x"
        object["a"] = nil
        object["zz"] = nil
        #expect(object.serialized() == utf8(#"{"b":2,"c":"x"}"#))
    }

    @Test func escapesWhatMustBeEscaped() {
        let all = String(String.UnicodeScalarView((0..<0x20).map { Unicode.Scalar(UInt8($0)) })) + "\"\\/é😀\u{7F}"
        let text = JSONValue.string(all).serialized()
        let expected =
            #""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010\u0011\u0012\u0013"#
            + #"\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f\"\\/é😀"# + "\u{7F}\""
        #expect(String(decoding: text, as: UTF8.self) == expected)
        #expect((try? JSONValue.parse(text)) == .string(all))
    }

    @Test func convertsOnlyExactIntegers() throws {
        #expect(try JSONValue.parse("9223372036854775807").int64 == .max)
        #expect(try JSONValue.parse("9223372036854775808").int64 == nil)
        #expect(try JSONValue.parse("1.0").int64 == nil)
        #expect(try JSONValue.parse("1e3").int64 == nil)
        #expect(try JSONValue.parse("\"1\"").int64 == nil)
        #expect(try JSONValue.parse("-0").int64 == 0)
        #expect(try JSONValue.parse("1e400").number?.double == .infinity)
        for text in ["", "-", "+1", "1 ", " 1", "01", "0x1", "nan", "1.", "--1", "１"] {
            #expect(JSONNumber(text) == nil)
        }
    }

    @Test func survivesHostileText() {
        var fuzz = Fuzz("JSON")
        for round in 0..<4000 {
            let value = fuzz.value(depth: 4)
            let text = value.serialized()
            let seed = "seed \(fuzz.seed), round \(round)"
            #expect((try? JSONValue.parse(text)) == value, "\(seed)")
            #expect((try? RawJSON(text))?.bytes == text, "\(seed)")
            for hostile in [fuzz.damaged(text), fuzz.jsonSoup(upTo: 12), fuzz.bytes(upTo: 24)] {
                // Two readers of one text must agree, on the fault too.
                let parsed = Result { () throws(JSONError) in try JSONValue.parse(hostile, duplicateKeys: .keepLast) }
                let scanned = Result { () throws(JSONError) in try RawJSON(hostile) }
                switch (parsed, scanned) {
                case (.success(let value), .success(let raw)):
                    #expect((try? JSONValue.parse(raw.bytes, duplicateKeys: .keepLast)) == value, "\(seed)")
                    #expect((try? JSONValue.parse(value.serialized())) == value, "\(seed)")
                case (.failure(let left), .failure(let right)):
                    #expect(left == right, "\(seed)")
                    #expect((0...hostile.count).contains(left.offset), "\(seed)")
                default: Issue.record("the readers disagree: \(seed)")
                }
            }
        }
    }
}

extension String {
    /// Without JSON white space at either end.
    fileprivate var trimmed: String {
        let space: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
        var bytes = ArraySlice(self.utf8)
        while let first = bytes.first, space.contains(first) { bytes.removeFirst() }
        while let last = bytes.last, space.contains(last) { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
