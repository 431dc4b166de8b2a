import Testing

@testable import ParleyCore

/// What a small text may not become.
struct JSONBoundsTests {
    private static let huge = [
        "1e131071", "1E+401", "-1e-401", "1e0000000401", "0.1e99999999999999999999", String(repeating: "9", count: 101),
        "0." + String(repeating: "1", count: 100),
    ]

    @Test(arguments: Self.huge) func hugeNumbersAreRefusedAtEveryDoor(_ number: String) throws {
        let nested = [UInt8]("{\"a\":[1,\(number)]}".utf8)
        #expect(JSONNumber(number) == nil)
        #expect { try JSONValue.parse(nested) } throws: { ($0 as? JSONError)?.code == .numberTooLarge }
        #expect { try RawJSON(nested) } throws: { ($0 as? JSONError)?.code == .numberTooLarge }
        #expect { try CommandArguments(json: nested) } throws: {
            ($0 as? APIError)?.details?.hasPrefix("number with too many digits") == true
        }
        let frame = [UInt8](#"["1","2","realtime:x","broadcast",{"payload":\#(number)}]"#.utf8)
        #expect { try RealtimeCodec.decode(text: frame, version: .v2) } throws: {
            ($0 as? ProtocolError)?.json?.code == .numberTooLarge
        }
        for type in ["numeric", "double precision", "real", "jsonb", "json", "numeric[]"] {
            let text = type.hasSuffix("[]") ? "{1,\(number)}" : number
            #expect(ArgumentSyntax.fault(text: text, type: type, name: nil)?.status == 400, "\(type)")
        }
    }

    @Test(arguments: [
        "1e400", "-1E-400", "1.7976931348623157e308", String(repeating: "9", count: 100),
        "0." + String(repeating: "1", count: 99),
    ]) func numbersOfUsePass(_ number: String) throws {
        #expect(JSONNumber(number)?.text == number)
        #expect(ArgumentSyntax.fault(text: number, type: "numeric", name: nil) == nil)
    }

    @Test(arguments: ["Infinity", "-Infinity", "NaN", " 1.5 ", "+1e3"]) func wordsOfNumericAreLeftToPostgres(
        _ text: String
    ) {
        #expect(ArgumentSyntax.fault(text: text, type: "numeric", name: nil) == nil)
    }

    @Test func valuesAreCounted() throws {
        func list(_ count: Int) -> [UInt8] {
            [UInt8]("[\([String](repeating: "[]", count: count).joined(separator: ","))]".utf8)
        }
        _ = try RawJSON(list(JSONScanner.maxValues - 1))
        #expect { try RawJSON(list(JSONScanner.maxValues)) } throws: { ($0 as? JSONError)?.code == .tooManyValues }
    }
}
