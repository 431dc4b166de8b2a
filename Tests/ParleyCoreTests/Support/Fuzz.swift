internal import FoundationEssentials

@testable internal import ParleyCore

/// SplitMix64: small, fast, and the same everywhere for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var z = self.state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Hostile input from a seed. A new seed is drawn for every run and printed; `PARLEY_FUZZ_SEED` repeats one.
struct Fuzz {
    let seed: UInt64
    var random: SeededGenerator

    init(_ name: String) {
        let given = ProcessInfo.processInfo.environment["PARLEY_FUZZ_SEED"].flatMap { UInt64($0) }
        self.seed = given ?? UInt64.random(in: 0...UInt64.max)
        self.random = SeededGenerator(seed: self.seed)
        print("\(name): PARLEY_FUZZ_SEED=\(self.seed)")
    }

    mutating func bytes(upTo count: Int) -> [UInt8] {
        (0..<Int.random(in: 0...count, using: &self.random)).map { _ in UInt8.random(in: 0...255, using: &self.random) }
    }

    /// Bytes that mean something to a JSON parser, in no order.
    mutating func jsonSoup(upTo count: Int) -> [UInt8] {
        let words = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "\\udc00", "d83d", "0", "-", "1e9", ".", "true",
            "null", "false", " ", "\n", "\u{0}", "é", "\u{1F600}", "\"a\"", "\"topic\"", "\"ref\"", "{\"a\":1}",
        ]
        return (0..<Int.random(in: 0...count, using: &self.random)).flatMap { _ in
            Array(words.randomElement(using: &self.random)!.utf8)
        }
    }

    /// Cuts, flips, doubles or drops a few bytes.
    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &self.random) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &self.random)
            switch Int.random(in: 0..<5, using: &self.random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &self.random)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(bytes[place], at: place)
            case 3: bytes.removeLast(bytes.count - place)
            default: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &self.random)
            }
        }
        return bytes
    }

    mutating func string() -> String {
        let alphabet: [Unicode.Scalar] = [
            "a", "B", "\"", "\\", "/", "\u{0}", "\u{1F}", "\n", "é", "\u{301}", "\u{2028}", "😀",
        ]
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...8, using: &self.random) {
            text.append(alphabet.randomElement(using: &self.random)!)
        }
        return String(text)
    }

    mutating func value(depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &self.random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &self.random))
        case 2: return .int(Int64.random(in: Int64.min...Int64.max, using: &self.random))
        case 3: return .number(JSONNumber("-0.5e+30")!)
        case 4: return .string(self.string())
        case 5:
            return .array((0..<Int.random(in: 0...4, using: &self.random)).map { _ in self.value(depth: depth - 1) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0...20, using: &self.random) {
                object[self.string()] = self.value(depth: depth - 1)
            }
            return .object(object)
        }
    }
}

/// UTF-8 of a text.
func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

extension WirePayload {
    /// The text of a text frame; nil for binary.
    var string: String? {
        guard case .text(let bytes) = self else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    var json: JSONValue? { self.string.flatMap { try? JSONValue.parse($0) } }

    var data: [UInt8]? { if case .binary(let bytes) = self { bytes } else { nil } }
}
