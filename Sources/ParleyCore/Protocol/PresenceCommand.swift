/// The payload of a `presence` message.
public enum PresenceCommand: Sendable, Equatable {
    /// Be present with these fields.
    case track(JSONObject)
    case untrack
    /// `track` with fields that are too long to be read: the channel ends.
    case tooLarge
    /// `track` with fields that are no object: answer with ``ProtocolText/Reply/presenceNotMap``.
    case notAMap
    /// Any other event: answer with an error and an empty response.
    case unknown

    private static let keys: RawJSON.Keys = ["event", "payload"]
    /// Values take far more memory than their text. Written without spaces and needless escapes fields are held to less.
    static let maxFieldText = 16 << 10

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
            guard fields.count <= Self.maxFieldText else {
                self = .tooLarge
                return
            }
            let value = try? JSONValue.parse(fields.bytes, duplicateKeys: .keepLast)
            self = value?.object.map(PresenceCommand.track) ?? .notAMap
        default: return
        }
    }
}
