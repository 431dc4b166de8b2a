/// What a client broadcasts, whether it came as text or as a binary frame.
public struct ClientBroadcast: Sendable, Equatable {
    /// The user's event name, for example `message:send`.
    public var event: String
    /// The user's payload; `{}` if there was none.
    public var body: BroadcastBody
    /// For a text frame the whole payload as sent, to be forwarded verbatim; nil for a binary frame.
    public var verbatim: [UInt8]?
    /// Metadata of a binary frame, empty or a JSON object.
    public var metadata: [UInt8]
    /// The client supplied `meta` itself. Only the server marks durable events, so do not forward this one as it is.
    public var carriesMeta: Bool

    /// Nil if the message has no event name: a text payload that is no object, or whose `event` is no string.
    public init?(_ message: ClientMessage) {
        switch message.payload {
        case .userBroadcast(let event, let metadata, let body):
            self.event = event
            self.body = body
            self.verbatim = nil
            self.metadata = metadata
            self.carriesMeta = !metadata.isEmpty
        case .json(let json):
            guard let found = try? RawJSON.pick(["event", "payload", "meta"], from: json, duplicateKeys: .refuse),
                let event = found[0]?.string
            else { return nil }
            self.event = event
            self.body = .json(found[1]?.bytes ?? RealtimeCodec.emptyObject)
            self.verbatim = json
            self.metadata = []
            self.carriesMeta = found[2] != nil
        }
    }

    /// The frame for one topic, as upstream forwards it: text verbatim, a binary frame as kind 4 (text for 1.0.0).
    public func encode(_ version: SerializerVersion, topic: String) -> WirePayload? {
        if let verbatim = self.verbatim { return RealtimeCodec.forward(version, topic: topic, payload: verbatim) }
        return BroadcastTemplate(event: self.event, body: self.body, metadata: self.metadata)
            .encode(version, topic: topic)
    }
}
