/// The wire format of the Supabase Realtime protocol, both serializer versions. Pure functions.
public enum RealtimeCodec {
    /// Longest `ref` and `join_ref` accepted. Clients count; a server that stores refs must not store novels.
    public static let maxRefBytes = 255

    /// Deepest nesting accepted in a text frame, the frame itself included.
    public static let maxDepth = 64

    /// Reads a text frame.
    ///
    /// Version 1.0.0 is an object with `topic`, `event`, `payload`, `ref` and optionally `join_ref`; version 2.0.0 an
    /// array `[join_ref, ref, topic, event, payload]` whose further elements are ignored. The payload is well-formed
    /// JSON of any kind and comes back byte for byte.
    public static func decode(text: [UInt8], version: SerializerVersion) throws(ProtocolError) -> ClientMessage {
        do {
            switch version {
            case .v1: return try Self.decodeObject(text)
            case .v2: return try Self.decodeArray(text)
            }
        } catch let error as JSONError {
            throw ProtocolError(.notJSON, json: error)
        } catch let error as ProtocolError {
            throw error
        } catch {
            preconditionFailure("no other error is thrown")
        }
    }

    private static let keys: RawJSON.Keys = ["topic", "event", "payload", "ref", "join_ref"]

    private static func decodeObject(_ text: [UInt8]) throws -> ClientMessage {
        let found = try RawJSON.pick(Self.keys, from: text, maxDepth: Self.maxDepth)
        guard let topic = found[0], let event = found[1], let payload = found[2], let ref = found[3] else {
            throw ProtocolError(.missingMember)
        }
        return try Self.message(joinRef: found[4], ref: ref, topic: topic, event: event, payload: payload)
    }

    private static func decodeArray(_ text: [UInt8]) throws -> ClientMessage {
        let span = text.span
        try JSONScanner.checkUTF8(span)
        var index = 0
        JSONScanner.skipSpace(span, &index)
        let scanned = try RawJSON.elements(span, index, limit: 5, maxDepth: Self.maxDepth)
        index = scanned.end
        try JSONScanner.expectEnd(span, &index)
        guard scanned.ranges.count == 5 else { throw ProtocolError(.missingMember) }
        let element = { RawJSON(storage: text, range: scanned.ranges[$0]) }
        return try Self.message(
            joinRef: element(0), ref: element(1), topic: element(2), event: element(3), payload: element(4))
    }

    private static func message(
        joinRef: RawJSON?, ref: RawJSON, topic: RawJSON, event: RawJSON, payload: RawJSON
    ) throws(ProtocolError) -> ClientMessage {
        guard let topic = topic.string, let event = event.string else { throw ProtocolError(.wrongType) }
        return ClientMessage(
            joinRef: try joinRef.flatMap(Self.ref), ref: try Self.ref(ref), topic: topic, event: event,
            payload: .json(payload.bytes))
    }

    private static func ref(_ value: RawJSON) throws(ProtocolError) -> String? {
        guard !value.isNull else { return nil }
        guard let text = value.string else { throw ProtocolError(.wrongType) }
        guard text.utf8.count <= Self.maxRefBytes else { throw ProtocolError(.refTooLong) }
        return text
    }
}
