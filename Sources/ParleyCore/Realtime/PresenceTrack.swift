public import FoundationEssentials

/// A presence that a channel wants to show.
public struct PresenceTrack: Sendable, Equatable {
    public var channel: ChannelID
    /// Who is present by the token; nil for the service.
    public var user: UUID?
    public var key: String
    public var fields: JSONObject
    /// Where the answer goes.
    public var joinRef: String?
    public var ref: String?

    /// The fields as others see them: who it is says the token, under the names that clients look at.
    public var shownFields: JSONObject {
        guard let user = self.user?.lowercaseText else { return self.fields }
        var fields = self.fields
        fields["user_id"] = .string(user)
        if fields["userId"] != nil { fields["userId"] = .string(user) }
        return fields
    }

    /// Whether a key is an id, in whatever spelling, and not that of `user`.
    static func names(_ key: String, anotherThan user: UUID) -> Bool {
        var digits: [UInt8] = []
        for byte in key.utf8 where byte != UInt8(ascii: "-") && byte > 0x20 {
            if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}") { continue }
            guard let digit = Hex.value(of: byte), digits.count < 32 else { return false }
            digits.append(Hex.digit(digit))
        }
        return digits.count == 32 && !digits.elementsEqual(user.lowercaseText.utf8.filter { $0 != UInt8(ascii: "-") })
    }
}
