/// The two wire formats of the Supabase Realtime protocol, chosen by the `vsn` query parameter.
public enum SerializerVersion: String, Sendable, Hashable {
    /// JSON objects; the default when `vsn` is absent, and all that the Python client speaks.
    case v1 = "1.0.0"
    /// JSON arrays, and binary frames for broadcasts.
    case v2 = "2.0.0"
}

/// A message from a client, its payload still as it was sent.
public struct ClientMessage: Sendable, Equatable {
    /// What a client sent as payload; kept raw so that a broadcast is forwarded byte for byte.
    public enum Payload: Sendable, Equatable {
        /// One JSON value, unparsed but known to be well-formed.
        case json([UInt8])
        /// A broadcast that came as a binary frame (kind 3), metadata unparsed.
        case userBroadcast(event: String, metadata: [UInt8], body: BroadcastBody)
    }

    public var joinRef: String?
    public var ref: String?
    /// With the `realtime:` prefix, as on the wire.
    public var topic: String
    public var event: String
    public var payload: Payload

    public init(joinRef: String?, ref: String?, topic: String, event: String, payload: Payload) {
        self.joinRef = joinRef
        self.ref = ref
        self.topic = topic
        self.event = event
        self.payload = payload
    }

    /// About what it takes to keep.
    var size: Int {
        let names = self.topic.utf8.count + self.event.utf8.count + (self.ref?.utf8.count ?? 0)
        return switch self.payload {
        case .json(let json): names + json.count
        case .userBroadcast(let event, let metadata, .json(let body)),
            .userBroadcast(let event, let metadata, .binary(let body)):
            names + event.utf8.count + metadata.count + body.count
        }
    }
}

/// The payload of one broadcast: JSON text or opaque bytes.
public enum BroadcastBody: Sendable, Equatable {
    case json([UInt8])
    case binary([UInt8])
}

/// What goes into one WebSocket data frame.
public enum WirePayload: Sendable, Equatable {
    case text([UInt8])
    case binary([UInt8])
}
