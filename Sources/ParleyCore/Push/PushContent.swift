/// What a notification is about and what may be said of it, as it is true when it is sent.
public struct PushContent: Sendable, Equatable {
    public enum Kind: String, Sendable {
        case message
        /// Only a number on the app's icon.
        case badge
        /// Takes back what was read elsewhere, unseen.
        case clear
        case call
        /// Nobody has to answer the call any more.
        case callEnd = "call_end"
    }

    /// How much the provider, and whoever looks at the screen, gets to know.
    public enum Privacy: String, Sendable {
        case full
        case sender
        /// Ids and a fixed text; the app fetches the rest.
        case id
    }

    public var kind: Kind
    public var privacy = Privacy.id
    public var conversationID: String?
    public var messageID: String?
    public var callID: String?
    public var seq: Int64?
    public var title: String?
    public var sender: String?
    public var body: String?
    /// All unread messages together; 0 takes the number away.
    public var badge: Int64?
    /// In place of a body: a text of the app's, in the language of the device, and what goes into it.
    public var locKey: String?
    public var locArgs: [String] = []
    public var category: String?
    /// A later notification replaces an earlier one of the same.
    public var collapseID: String?
    /// Shown without a sound, as in quiet hours.
    public var isSilent = false
    /// An https URL of the web app.
    public var url: String?

    public init(_ kind: Kind, privacy: Privacy = .id) {
        self.kind = kind
        self.privacy = privacy
    }

    /// `{kind, privacy, conversation_id, message_id, call_id, seq, title, sender, body, badge, loc_key, loc_args, category,
    /// collapse_id, silent, url}`; all but the kind may be missing.
    public init?(json: JSONValue) {
        guard let kind = json["kind"]?.string.flatMap(Kind.init(rawValue:)) else { return nil }
        self.init(kind, privacy: json["privacy"]?.string.flatMap(Privacy.init(rawValue:)) ?? .id)
        self.conversationID = json["conversation_id"]?.string
        self.messageID = json["message_id"]?.string
        self.callID = json["call_id"]?.string
        self.seq = json["seq"]?.int64
        self.title = json["title"]?.string
        self.sender = json["sender"]?.string
        self.body = json["body"]?.string
        self.badge = json["badge"]?.int64
        self.locKey = json["loc_key"]?.string
        self.locArgs = json["loc_args"]?.array?.compactMap(\.string) ?? []
        self.category = json["category"]?.string
        self.collapseID = json["collapse_id"]?.string
        self.isSilent = json["silent"]?.bool ?? false
        self.url = json["url"]?.string
    }

    /// The title that may be shown.
    var shownTitle: String? {
        switch self.privacy {
        case .full: self.title ?? self.sender
        case .sender: self.sender ?? self.title
        case .id: nil
        }
    }

    /// The body that may be shown; nil when `locKey` or ``fixedText`` stands for it.
    var shownBody: String? { self.privacy == .full ? self.body : nil }

    /// What goes into the text of `locKey`.
    var shownArguments: [String] { self.privacy == .id ? [] : self.locArgs }

    /// Where the app has no texts of its own.
    var fixedText: String {
        switch self.kind {
        case .call: "Incoming call"
        case .callEnd: "Missed call"
        default: "New message"
        }
    }

    /// What folds notifications together on a device.
    var collapse: String? { self.collapseID ?? self.callID ?? self.conversationID }

    /// What the app needs, in no provider's form; ids only.
    var identifiers: JSONObject {
        var object: JSONObject = ["kind": .string(self.kind.rawValue)]
        object["conversation_id"] = self.conversationID.map { .string($0) }
        object["message_id"] = self.messageID.map { .string($0) }
        object["call_id"] = self.callID.map { .string($0) }
        object["seq"] = self.seq.map { .int($0) }
        return object
    }

    /// The least that still tells the app to look.
    var reduced: PushContent {
        var content = self
        content.privacy = .id
        content.category = nil
        return content
    }
}
