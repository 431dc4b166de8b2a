/// The outcome in a `phx_reply`.
public enum ReplyStatus: String, Sendable { case ok, error }

extension RealtimeCodec {
    /// `{}`
    public static let emptyObject: [UInt8] = [UInt8(ascii: "{"), UInt8(ascii: "}")]

    /// A `phx_reply`: echoes `ref`, and `joinRef` in version 2.0.0.
    ///
    /// - Parameter response: JSON. Clients break on anything but an object, so another value is wrapped as
    ///   `{"result": value}` and nothing at all becomes `{}`.
    public static func reply(
        _ version: SerializerVersion, joinRef: String?, ref: String?, topic: String, status: ReplyStatus,
        response: [UInt8] = Self.emptyObject
    ) -> WirePayload {
        var payload = JSONWriter(capacity: response.count + 48)
        payload.raw(status == .ok ? #"{"status":"ok","response":"# : #"{"status":"error","response":"#)
        switch response.first(where: { $0 > 0x20 }) {
        case nil: payload.raw("{}")
        case UInt8(ascii: "{"): payload.raw(response)
        default:
            payload.raw(#"{"result":"#)
            payload.raw(response)
            payload.byte(UInt8(ascii: "}"))
        }
        payload.byte(UInt8(ascii: "}"))
        return Self.push(
            version, joinRef: joinRef, topic: topic, event: "phx_reply", payload: payload.bytes, ref: ref)
    }

    /// A `phx_reply` with status error and `{"reason": ...}`; clients act on prefixes of the reason.
    public static func errorReply(
        _ version: SerializerVersion, joinRef: String?, ref: String?, topic: String, reason: String
    ) -> WirePayload {
        let response: JSONObject = ["reason": .string(reason)]
        return Self.reply(
            version, joinRef: joinRef, ref: ref, topic: topic, status: .error, response: response.serialized())
    }

    /// Any message to a client; `payload` is JSON and goes out as it is. Version 1.0.0 never carries `joinRef`.
    public static func push(
        _ version: SerializerVersion, joinRef: String? = nil, topic: String, event: String, payload: [UInt8],
        ref: String? = nil
    ) -> WirePayload {
        var writer = JSONWriter(capacity: payload.count + topic.utf8.count + event.utf8.count + 72)
        switch version {
        case .v1:
            writer.raw(#"{"topic":"#)
            writer.string(topic)
            writer.raw(#","event":"#)
            writer.string(event)
            writer.raw(#","payload":"#)
            writer.raw(payload)
            writer.raw(#","ref":"#)
            writer.stringOrNull(ref)
            writer.raw("}")
        case .v2:
            writer.raw("[")
            writer.stringOrNull(joinRef)
            writer.raw(",")
            writer.stringOrNull(ref)
            writer.raw(",")
            writer.string(topic)
            writer.raw(",")
            writer.string(event)
            writer.raw(",")
            writer.raw(payload)
            writer.raw("]")
        }
        return .text(writer.bytes)
    }

    /// The channel is over; clients do not join again by themselves. `joinRef` is that of the join it ends.
    public static func close(_ version: SerializerVersion, joinRef: String?, topic: String) -> WirePayload {
        Self.push(
            version, joinRef: joinRef, topic: topic, event: "phx_close", payload: Self.emptyObject, ref: joinRef)
    }

    /// A `system` message. `topic` has the `realtime:` prefix; the payload's `channel` is the same without it.
    public static func system(
        _ version: SerializerVersion, joinRef: String? = nil, topic: String, extension name: String = "system",
        status: ReplyStatus, message: String
    ) -> WirePayload {
        let payload: JSONObject = [
            "channel": .string(Topic.subTopic(ofWire: topic) ?? topic), "extension": .string(name),
            "message": .string(message), "status": .string(status.rawValue),
        ]
        return Self.push(
            version, joinRef: joinRef, topic: topic, event: "system", payload: payload.serialized())
    }

    /// Everyone present, sent once to a member after its join. `state` comes from ``PresenceTable/stateJSON()``.
    public static func presenceState(
        _ version: SerializerVersion, joinRef: String?, topic: String, state: [UInt8]
    ) -> WirePayload {
        Self.push(version, joinRef: joinRef, topic: topic, event: "presence_state", payload: state)
    }

    /// Who came and went, the same bytes for every member. `diff` comes from ``PresenceDiff/json()``.
    public static func presenceDiff(_ version: SerializerVersion, topic: String, diff: [UInt8]) -> WirePayload {
        Self.push(version, topic: topic, event: "presence_diff", payload: diff)
    }

    /// A text broadcast as the client sent it: `payload` is its whole payload, forwarded verbatim.
    public static func forward(
        _ version: SerializerVersion, topic: String, payload: [UInt8]
    ) -> WirePayload {
        Self.push(version, topic: topic, event: "broadcast", payload: payload)
    }
}
