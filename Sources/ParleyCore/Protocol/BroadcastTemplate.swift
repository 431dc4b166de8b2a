/// A broadcast encoded up to its topic, so that one event that goes to many topics in both versions is built once.
///
/// - Version 1.0.0 is text, always; a binary body cannot be sent to it.
/// - Version 2.0.0 is text for durable events (those with a `metaID`: clients drop the metadata of binary frames), and a
///   kind 4 binary frame otherwise. A JSON body that is no object, or a name too long for its length byte, falls back
///   to text; a binary body with such a name cannot be sent.
public struct BroadcastTemplate: Sendable {
    private let event: String
    private let body: BroadcastBody
    private let isDurable: Bool
    private let meta: [UInt8]
    /// `{"type":"broadcast","event":...,"payload":...}`; nil for a binary body.
    private let text: [UInt8]?

    /// - Parameters:
    ///   - body: `.json` is one well-formed JSON value, spliced in as it is.
    ///   - metaID: id of a durable event, sent as `meta.id`.
    ///   - replayed: sends `meta.replayed: true`.
    public init(event: String, body: BroadcastBody, metaID: String? = nil, replayed: Bool = false) {
        var meta = JSONObject()
        if let metaID { meta["id"] = .string(metaID) }
        if replayed { meta["replayed"] = true }
        self.init(event: event, body: body, meta: meta.isEmpty ? [] : meta.serialized(), isDurable: metaID != nil)
    }

    /// - Parameter metadata: empty, or a JSON object to be sent as `meta`, for example that of a client's binary frame.
    public init(event: String, body: BroadcastBody, metadata: [UInt8]) {
        self.init(event: event, body: body, meta: metadata, isDurable: false)
    }

    private init(event: String, body: BroadcastBody, meta: [UInt8], isDurable: Bool) {
        self.event = event
        self.body = body
        self.meta = meta
        self.isDurable = isDurable
        guard case .json(let json) = body else {
            self.text = nil
            return
        }
        var writer = JSONWriter(capacity: json.count + event.utf8.count + meta.count + 56)
        writer.raw(#"{"type":"broadcast","event":"#)
        writer.string(event)
        writer.raw(#","payload":"#)
        writer.raw(json)
        if !meta.isEmpty {
            writer.raw(#","meta":"#)
            writer.raw(meta)
        }
        writer.raw("}")
        self.text = writer.bytes
    }

    /// The frame for one topic (with its `realtime:` prefix), the same for all subscribers; nil if `version` cannot carry it.
    public func encode(_ version: SerializerVersion, topic: String) -> WirePayload? {
        switch self.body {
        case .json(let json):
            if version == .v2, !self.isDurable, json.first == UInt8(ascii: "{"),
                let frame = self.binaryFrame(topic, RealtimeCodec.BinaryEncoding.json, json)
            {
                return frame
            }
            return self.text.map { RealtimeCodec.forward(version, topic: topic, payload: $0) }
        case .binary(let bytes):
            guard version == .v2 else { return nil }
            return self.binaryFrame(topic, RealtimeCodec.BinaryEncoding.bytes, bytes)
        }
    }

    /// `u8 4 | u8 topic length | u8 event length | u8 metadata length | u8 encoding | topic | event | metadata | payload`
    private func binaryFrame(_ topic: String, _ encoding: UInt8, _ payload: [UInt8]) -> WirePayload? {
        guard let topicLength = UInt8(exactly: topic.utf8.count),
            let eventLength = UInt8(exactly: self.event.utf8.count),
            let metaLength = UInt8(exactly: self.meta.count)
        else { return nil }
        var frame: [UInt8] = []
        frame.reserveCapacity(5 + topic.utf8.count + self.event.utf8.count + self.meta.count + payload.count)
        frame.append(RealtimeCodec.BinaryKind.userBroadcast)
        frame.append(topicLength)
        frame.append(eventLength)
        frame.append(metaLength)
        frame.append(encoding)
        frame.append(contentsOf: topic.utf8)
        frame.append(contentsOf: self.event.utf8)
        frame.append(contentsOf: self.meta)
        frame.append(contentsOf: payload)
        return .binary(frame)
    }
}
