internal import ParleyCore
internal import WebServer

/// The frames of one broadcast: encoded once per topic and serializer, when the first receiver needs it.
///
/// The frames of the latest topic are kept, which is enough because receivers come topic by topic.
struct TopicFrames {
    private let encode: (SerializerVersion, String) -> WirePayload?
    private var topic: Topic?
    private var v1: Frame?
    private var v2: Frame?

    /// - Parameter encode: makes the payload for a topic as on the wire; nil when the serializer cannot carry it.
    init(_ encode: @escaping (SerializerVersion, String) -> WirePayload?) { self.encode = encode }

    /// A live row of the log.
    init(_ event: LogEvent) {
        let template = Self.template(event, replayed: false)
        self.init { template.encode($0, topic: $1) }
    }

    /// A row of the log; `meta.id` is its id, except for gaps, which are no rows.
    static func template(_ event: LogEvent, replayed: Bool) -> BroadcastTemplate {
        let isRow = event.id > 0
        return BroadcastTemplate(
            event: event.kind, body: .json(event.payload), metaID: isRow ? String(event.id) : nil,
            replayed: replayed && isRow)
    }

    mutating func frame(_ topic: Topic, _ version: SerializerVersion) -> Frame? {
        if self.topic != topic {
            self.topic = topic
            self.v1 = nil
            self.v2 = nil
        }
        switch version {
        case .v1:
            if self.v1 == nil { self.v1 = self.frame(version, topic.wire) }
            return self.v1
        case .v2:
            if self.v2 == nil { self.v2 = self.frame(version, topic.wire) }
            return self.v2
        }
    }

    /// A frame for a channel that writes its topic in its own way.
    func frame(_ version: SerializerVersion, _ name: String) -> Frame? {
        self.encode(version, name).map { Frame($0) }
    }
}
