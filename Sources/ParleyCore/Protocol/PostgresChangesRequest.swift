/// One entry of `config.postgres_changes`, kept as sent. Clients compare the echo with what they asked for.
public struct PostgresChangesRequest: Sendable, Equatable {
    /// The object as the client sent it.
    public let raw: [UInt8]
    /// Same for equal bytes, never 0 (clients take 0 for absent), 27 bits as upstream.
    public let id: Int
    /// The request plus `"id"`.
    public let echo: [UInt8]
    /// `[event: *, schema: public, table: x, filters: [], select: nil]`, for the system message.
    public let summary: String

    private static let keys: RawJSON.Keys = ["event", "schema", "table", "filter", "id"]

    /// Nil if `value` is not an object.
    init?(_ value: RawJSON) {
        guard let found = try? value.pick(Self.keys, duplicateKeys: .keepLast) else { return nil }
        let raw = value.bytes
        var hash: UInt32 = 2_166_136_261  // FNV-1a
        for byte in raw { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        let id = max(1, Int(hash & 0x7FF_FFFF))

        var writer = JSONWriter(capacity: raw.count + 20)
        if found[4] != nil, var object = (try? JSONValue.parse(raw, duplicateKeys: .keepLast))?.object {
            object["id"] = .int(id)
            writer.object(object)
        } else {
            let inside = raw.dropFirst().dropLast()
            writer.raw("{")
            writer.raw(inside)
            if inside.contains(where: { $0 > 0x20 }) { writer.raw(",") }
            writer.raw(#""id":"#)
            writer.int(id)
            writer.raw("}")
        }
        self.raw = raw
        self.id = id
        self.echo = writer.bytes

        func word(_ place: Int, or absent: String) -> String {
            String((found[place]?.string ?? absent).unicodeScalars.prefix(63))
        }
        let filter = found[3]?.string ?? ""
        self.summary =
            "[event: \(word(0, or: "*")), schema: \(word(1, or: "public")), table: \(word(2, or: "*")), "
            + "filters: [\(filter.isEmpty ? "" : "\"\(word(3, or: ""))\"")], select: nil]"
    }
}
