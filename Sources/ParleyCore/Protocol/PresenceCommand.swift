/// The payload of a `presence` message.
public enum PresenceCommand: Sendable, Equatable {
    /// Be present with these fields.
    case track(JSONObject)
    case untrack
    /// `track` with fields that are no object: answer with ``ProtocolText/Reply/presenceNotMap``.
    case notAMap
    /// Any other event: answer with an error and an empty response.
    case unknown

    private static let keys: RawJSON.Keys = ["event", "payload"]

    /// `{"type"?, "event": "track"|"untrack" in any case, "payload"?}`. A missing payload is `{}`.
    public init(payload: [UInt8]) {
        self = .unknown
        guard let found = try? RawJSON.pick(Self.keys, from: payload, duplicateKeys: .keepLast) else { return }
        switch found[0]?.string?.lowercased() {
        case "untrack": self = .untrack
        case "track":
            guard let fields = found[1] else {
                self = .track(JSONObject())
                return
            }
            let value = try? JSONValue.parse(fields.bytes, duplicateKeys: .keepLast)
            self = value?.object.map(PresenceCommand.track) ?? .notAMap
        default: return
        }
    }
}
