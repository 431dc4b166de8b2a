extension RealtimeCodec {
    /// Kinds of binary frames. Kinds 0, 1 and 2 (push, reply, broadcast) exist on paper; stock clients neither send them
    /// nor survive receiving them.
    enum BinaryKind {
        static let userBroadcastPush: UInt8 = 3
        static let userBroadcast: UInt8 = 4
    }

    /// Encodings of the payload of a binary frame.
    enum BinaryEncoding {
        static let bytes: UInt8 = 0
        static let json: UInt8 = 1
    }

    /// Reads a binary frame: kind 3, a broadcast from a client.
    ///
    ///     u8 3 | u8 join_ref length | u8 ref length | u8 topic length | u8 event length | u8 metadata length
    ///     | u8 encoding | join_ref | ref | topic | event | metadata | payload
    ///
    /// Empty refs mean null. Metadata is empty or a JSON object, a payload of encoding 1 is JSON: both are checked, so
    /// that they may be spliced into text frames.
    public static func decode(binary: [UInt8], version: SerializerVersion) throws(ProtocolError) -> ClientMessage {
        guard version == .v2 else { throw ProtocolError(.binaryNotAllowed) }
        guard let kind = binary.first else { throw ProtocolError(.truncated) }
        guard kind == BinaryKind.userBroadcastPush else { throw ProtocolError(.unknownKind) }
        guard binary.count >= 7 else { throw ProtocolError(.truncated) }
        let encoding = binary[6]
        guard encoding == BinaryEncoding.bytes || encoding == BinaryEncoding.json else {
            throw ProtocolError(.unknownKind)
        }
        guard 7 + binary[1...5].reduce(0, { $0 + Int($1) }) <= binary.count else { throw ProtocolError(.truncated) }

        var offset = 7
        let joinRef = try Self.name(binary, &offset, length: binary[1])
        let ref = try Self.name(binary, &offset, length: binary[2])
        let topic = try Self.name(binary, &offset, length: binary[3])
        let event = try Self.name(binary, &offset, length: binary[4])
        let metadata = Array(binary[offset..<offset + Int(binary[5])])
        let payload = Array(binary[(offset + Int(binary[5]))...])
        do {
            if !metadata.isEmpty, try RawJSON(metadata, maxDepth: Self.maxDepth).kind != .object {
                throw ProtocolError(.wrongType)
            }
            if encoding == BinaryEncoding.json { _ = try RawJSON(payload, maxDepth: Self.maxDepth) }
        } catch let error as JSONError {
            throw ProtocolError(.notJSON, json: error)
        } catch {
            throw ProtocolError(.wrongType)
        }
        let body: BroadcastBody = encoding == BinaryEncoding.json ? .json(payload) : .binary(payload)
        return ClientMessage(
            joinRef: joinRef.isEmpty ? nil : joinRef, ref: ref.isEmpty ? nil : ref, topic: topic, event: "broadcast",
            payload: .userBroadcast(event: event, metadata: metadata, body: body))
    }

    private static func name(_ frame: [UInt8], _ offset: inout Int, length: UInt8) throws(ProtocolError) -> String {
        let end = offset + Int(length)
        guard let text = String(validating: frame[offset..<end], as: UTF8.self) else {
            throw ProtocolError(.invalidUTF8)
        }
        offset = end
        return text
    }
}
