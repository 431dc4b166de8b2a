/// What a frame that cannot be read says about where its answer goes: topic and refs, as the client wrote them.
///
/// Found without the rules of JSON, which the frame may break anywhere else; what is found obeys them, so that it can be
/// put into the answer as it is. A ref that is a number stays one, for a client that looks for a number.
struct FrameAddress {
    var joinRef: RawJSON?
    var ref: RawJSON
    var topic: RawJSON

    /// Longest topic that is repeated.
    private static let maxTopicBytes = 1024

    /// Nil for a frame that names no ref or no topic: nobody waits for an answer to it.
    init?(text: [UInt8], version: SerializerVersion) {
        var items = LooseItems(text)
        var found: [RawJSON?]
        switch version {
        case .v2:
            guard items.enter(UInt8(ascii: "[")) else { return nil }
            found = [items.next(), items.next(), items.next()].map { $0.flatMap { Self.value(text, $0) } }
        case .v1:
            guard items.enter(UInt8(ascii: "{")) else { return nil }
            found = [nil, nil, nil]
            while let name = items.next(), let value = items.next() {
                switch Self.value(text, name)?.string {
                case "join_ref": found[0] = Self.value(text, value)
                case "ref": found[1] = Self.value(text, value)
                case "topic": found[2] = Self.value(text, value)
                default: break
                }
            }
        }
        self.init(joinRef: found[0], ref: found[1], topic: found[2])
    }

    /// Of a broadcast that came as a binary frame, as far as its lengths fit.
    init?(binary: [UInt8]) {
        guard binary.count >= 7, binary[0] == RealtimeCodec.BinaryKind.userBroadcastPush else { return nil }
        var offset = 7
        var names: [RawJSON?] = []
        for length in binary[1...3] {
            let end = offset + Int(length)
            guard end <= binary.count, let text = String(validating: binary[offset..<end], as: UTF8.self) else {
                return nil
            }
            var writer = JSONWriter()
            writer.string(text)
            // No ref is written as an empty one; an empty topic is one.
            names.append(text.isEmpty && names.count < 2 ? nil : Self.value(writer.bytes, writer.bytes.indices))
            offset = end
        }
        self.init(joinRef: names[0], ref: names[1], topic: names[2])
    }

    private init?(joinRef: RawJSON?, ref: RawJSON?, topic: RawJSON?) {
        guard let ref, Self.isRef(ref), let topic, topic.kind == .string, topic.count <= Self.maxTopicBytes else {
            return nil
        }
        self.joinRef = joinRef.flatMap { Self.isRef($0) ? $0 : nil }
        self.ref = ref
        self.topic = topic
    }

    private static func isRef(_ value: RawJSON) -> Bool {
        (value.kind == .string || value.kind == .number) && value.count <= RealtimeCodec.maxRefBytes + 2
    }

    private static func value(_ text: [UInt8], _ range: Range<Int>) -> RawJSON? {
        guard range.count <= Self.maxTopicBytes else { return nil }
        return try? RawJSON(Array(text[range]))
    }
}

/// The items of an array, or the names and values of an object, told apart by brackets, commas and colons outside of
/// strings only.
private struct LooseItems {
    private let text: [UInt8]
    private var index = 0

    init(_ text: [UInt8]) { self.text = text }

    /// Past the opening byte; false if the text begins otherwise.
    mutating func enter(_ opening: UInt8) -> Bool {
        var start = 0
        JSONScanner.skipSpace(self.text.span, &start)
        guard start < self.text.count, self.text[start] == opening else { return false }
        self.index = start + 1
        return true
    }

    /// The next item, with the white space around it; nil at the end.
    mutating func next() -> Range<Int>? {
        let start = self.index
        var depth = 0
        while self.index < self.text.count {
            switch self.text[self.index] {
            case UInt8(ascii: "\""): self.skipString()
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard depth > 0 else { return self.index > start ? start..<self.index : nil }
                depth -= 1
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                if depth == 0 {
                    self.index += 1
                    return start..<(self.index - 1)
                }
            default: break
            }
            self.index += 1
        }
        return nil
    }

    /// To the closing quote, or the last byte.
    private mutating func skipString() {
        self.index += 1
        while self.index < self.text.count, self.text[self.index] != UInt8(ascii: "\"") {
            self.index += self.text[self.index] == UInt8(ascii: "\\") ? 2 : 1
        }
    }
}

extension RealtimeCodec {
    /// The answer to a text frame that `decode` refused; nil if the frame names no ref or no topic.
    public static func refusal(
        ofText text: [UInt8], _ error: ProtocolError, _ version: SerializerVersion
    ) -> WirePayload? {
        FrameAddress(text: text, version: version).map { Self.refusal($0, error, version) }
    }

    /// The answer to a binary frame that `decode` refused; nil if the frame names no ref or no topic.
    public static func refusal(
        ofBinary binary: [UInt8], _ error: ProtocolError, _ version: SerializerVersion
    ) -> WirePayload? {
        FrameAddress(binary: binary).map { Self.refusal($0, error, version) }
    }

    private static func refusal(
        _ address: FrameAddress, _ error: ProtocolError, _ version: SerializerVersion
    ) -> WirePayload {
        let refusal = BroadcastRefusal(reason: "This frame cannot be read: \(error)")
        let payload = [UInt8](#"{"status":"error","response":"#.utf8) + refusal.response + [UInt8(ascii: "}")]
        var writer = JSONWriter(capacity: payload.count + address.topic.count + address.ref.count + 96)
        switch version {
        case .v1:
            writer.raw(#"{"topic":"#)
            writer.raw(address.topic.bytes)
            writer.raw(#","event":"phx_reply","payload":"#)
            writer.raw(payload)
            writer.raw(#","ref":"#)
            writer.raw(address.ref.bytes)
            writer.raw("}")
        case .v2:
            writer.raw("[")
            writer.raw(address.joinRef?.bytes ?? [UInt8]("null".utf8))
            writer.raw(",")
            writer.raw(address.ref.bytes)
            writer.raw(",")
            writer.raw(address.topic.bytes)
            writer.raw(#","phx_reply","#)
            writer.raw(payload)
            writer.raw("]")
        }
        return .text(writer.bytes)
    }
}
