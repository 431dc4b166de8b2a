import FoundationEssentials
import Testing

@testable import ParleyCore

/// A session fed with frames as clients send them, and what it sends back as text.
struct SessionHarness {
    static let alice = UUID(uuidString: "00000000-0000-4000-8000-00000000000a")!
    static let bob = UUID(uuidString: "00000000-0000-4000-8000-00000000000b")!
    static let room = UUID(uuidString: "00000000-0000-4000-8000-0000000000c1")!
    static var topic: String { "realtime:conversation:\(Self.room.lowercaseText)" }
    static var inbox: String { "realtime:user:\(Self.alice.lowercaseText)" }
    /// Some events of the server.
    static let kinds = [
        "message:new", "participant:left", "conversation:new", "user:online", "replay:gap", "call:ended",
        "call:answered_elsewhere", "account:updated",
    ]
    static let start: Int64 = 1_000_000_000_000

    let version: SerializerVersion
    var session: SocketSession
    var context: SessionContext
    /// Tokens by their text; all others are malformed.
    var tokens: [String: SessionToken] = [:]

    init(_ version: SerializerVersion = .v2, limits: SessionLimits = SessionLimits()) {
        self.version = version
        self.context = SessionContext(
            now: Self.start, steady: 0, limits: limits, reserved: ReservedEvents(Self.kinds))
        self.session = SocketSession(
            slot: 7, lastSerial: 0, version: version, apiToken: Self.token(Self.alice, text: "key"),
            context: self.context)
        self.tokens["alice"] = Self.token(Self.alice, text: "alice")
        self.tokens["newer"] = Self.token(Self.alice, text: "newer", expiresIn: 7200)
        self.tokens["short"] = Self.token(Self.alice, text: "short", expiresIn: 2)
        self.tokens["bob"] = Self.token(Self.bob, text: "bob")
        self.tokens["service"] = Self.token(nil, text: "service", role: "service_role")
    }

    static func token(
        _ user: UUID?, text: String, role: String = "authenticated", expiresIn: Int64 = 3600
    ) -> SessionToken {
        SessionToken(
            subject: user, role: role, expiresAt: Self.start / 1000 + expiresIn, issuedAt: nil, claims: [],
            fingerprint: SessionToken.fingerprint(of: text))
    }

    var verify: TokenCheck {
        { text in
            if let token = self.tokens[text] { return .success(token) }
            if text == "expired" { return .failure(.expired(secondsAgo: 5)) }
            return .failure(
                TokenRefusal(
                    upgradeText: "The token provided is not a valid JWT",
                    systemText: "The token provided is not a valid JWT",
                    joinReason: "MalformedJWT: The token provided is not a valid JWT"))
        }
    }

    /// Sends a message in the serializer of the session.
    mutating func send(
        _ event: String, _ payload: String = "{}", topic: String = Self.topic, ref: String? = "9",
        joinRef: String? = "1"
    ) throws -> [SessionAction] {
        func quoted(_ text: String?) -> String { text.map { "\"\($0)\"" } ?? "null" }
        let text =
            switch self.version {
            case .v1:
                #"{"topic":"\#(topic)","event":"\#(event)","payload":\#(payload),"ref":\#(quoted(ref)),"#
                    + #""join_ref":\#(quoted(joinRef))}"#
            case .v2: "[\(quoted(joinRef)),\(quoted(ref)),\"\(topic)\",\"\(event)\",\(payload)]"
            }
        let message = try RealtimeCodec.decode(text: [UInt8](text.utf8), version: self.version)
        return self.session.receive(message, context: self.context, verify: self.verify)
    }

    mutating func broadcast(
        _ event: String, _ payload: String = "{}", topic: String = Self.topic
    ) throws -> [SessionAction] {
        try self.send("broadcast", #"{"type":"broadcast","event":"\#(event)","payload":\#(payload)}"#, topic: topic)
    }

    /// Sends a join and answers what is to be asked; nil if it was decided at once.
    mutating func ask(
        _ config: String = #"{"private":true}"#, token: String? = "alice", topic: String = Self.topic,
        ref: String = "1", joinRef: String = "1"
    ) throws -> (question: Authorization?, actions: [SessionAction]) {
        let payload = #"{"config":\#(config)\#(token.map { #","access_token":"\#($0)""# } ?? "")}"#
        let actions = try self.send("phx_join", payload, topic: topic, ref: ref, joinRef: joinRef)
        let question = actions.lazy.compactMap { action -> Authorization? in
            if case .authorize(let question) = action { question } else { nil }
        }.first
        return (question, actions)
    }

    mutating func answer(_ question: Authorization, _ answer: AuthorizationAnswer = .allowed) -> [SessionAction] {
        self.session.authorized(question, answer, context: self.context, verify: self.verify)
    }

    /// Joins and is allowed.
    @discardableResult mutating func join(
        _ config: String = #"{"private":true,"broadcast":{"ack":true}}"#, token: String? = "alice",
        topic: String = Self.topic, ref: String = "1", joinRef: String = "1"
    ) throws -> ChannelID {
        let question = try #require(
            try self.ask(config, token: token, topic: topic, ref: ref, joinRef: joinRef).question)
        _ = self.answer(question)
        return question.channel
    }
}

/// The frames among actions, as text.
func frames(_ actions: [SessionAction]) -> [String] {
    actions.compactMap { action in
        guard case .send(.text(let bytes)) = action else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The reason of the only frame, an error reply.
func reason(_ actions: [SessionAction]) throws -> String {
    let text = try #require(frames(actions).first)
    let json = try JSONValue.parse([UInt8](text.utf8))
    let payload = json["payload"] ?? json.array?[4]
    #expect(payload?["status"]?.string == "error")
    return try #require(payload?["response"]?["reason"]?.string)
}
