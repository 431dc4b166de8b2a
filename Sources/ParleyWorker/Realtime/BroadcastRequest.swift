internal import ParleyCore
internal import WebServer

/// Broadcasts that came over HTTP: the fallback of stock clients that have not joined, and of servers that never will.
enum BroadcastRequest {
    struct Message: Sendable {
        var topic: Topic
        var broadcast: ClientBroadcast

        init?(_ topic: String, _ event: String, _ body: BroadcastBody) {
            let frame = ClientMessage(
                joinRef: nil, ref: nil, topic: topic, event: "broadcast",
                payload: .userBroadcast(event: event, metadata: [], body: body))
            guard let broadcast = ClientBroadcast(frame) else { return nil }
            self.topic = Topic(subTopic: topic)
            self.broadcast = broadcast
        }
    }

    enum Route: Equatable {
        /// `POST /api/broadcast`
        case batch
        /// `POST /api/broadcast/{topic}/events/{event}`
        case single(topic: String, event: String)
    }

    /// Messages that one batch may carry.
    static let maxMessages = 100

    /// Nil when the path is none of this API.
    static func route(_ request: HTTPRequest) -> Route? {
        guard var segments = request.segments else { return nil }
        if segments.starts(with: ["realtime", "v1"]) { segments.removeFirst(2) }
        guard segments.starts(with: ["api", "broadcast"]) else { return nil }
        switch segments.count {
        case 2: return .batch
        case 5 where segments[3] == "events" && !segments[2].isEmpty && !segments[4].isEmpty:
            return .single(topic: segments[2], event: segments[4])
        default: return nil
        }
    }

    /// The token: that of `Authorization: Bearer`, else `apikey`. Old clients send an empty `Authorization`.
    static func token(_ request: HTTPRequest) -> String? {
        if case .token(let token) = BearerToken(request.headers) { return token }
        return UpgradeCheck.key(request)
    }

    static func messages(_ request: HTTPRequest, _ route: Route) throws(HTTPRefusal) -> [Message] {
        switch route {
        case .single(let topic, let event): [try Self.single(request, topic, event)]
        case .batch: try Self.batch(request)
        }
    }

    private static func single(
        _ request: HTTPRequest, _ topic: String, _ event: String
    ) throws(HTTPRefusal) -> Message {
        let type = request.headers["content-type"]?.split(separator: ";").first?.lowercased() ?? "application/json"
        let body: BroadcastBody
        switch type.filter({ !$0.isWhitespace }) {
        case "application/json":
            do throws(JSONError) {
                body = .json(try RawJSON(request.body).bytes)
            } catch {
                throw HTTPRefusal(400, "The body is not valid JSON.", details: "\(error)")
            }
        case "application/octet-stream": body = .binary(request.body)
        default:
            throw HTTPRefusal(
                415, "Unsupported Media Type. Use application/json or application/octet-stream.")
        }
        guard let message = Message(topic, event, body) else { throw HTTPRefusal(422, "event is required") }
        return message
    }

    private static func batch(_ request: HTTPRequest) throws(HTTPRefusal) -> [Message] {
        let list: [RawJSON]?
        var fault: String?
        do throws(JSONError) {
            list = try RawJSON(request.body)["messages"]?.elements(limit: Self.maxMessages + 1)
        } catch {
            list = nil
            fault = "The body is not valid JSON: \(error)"
        }
        guard let list else {
            throw HTTPRefusal(
                422, "messages must be a list of broadcasts", details: fault,
                errors: #"{"messages":["can't be blank"]}"#)
        }
        guard list.count <= Self.maxMessages else {
            throw HTTPRefusal(429, "Too many messages to broadcast, please reduce the batch size")
        }
        var messages: [Message] = []
        var faults: [String] = []
        for element in list {
            let topic = element["topic"]?.string.flatMap { $0.isEmpty ? nil : $0 }
            let event = element["event"]?.string.flatMap { $0.isEmpty ? nil : $0 }
            let payload = element["payload"].flatMap { $0.kind == .object ? $0 : nil }
            guard let topic, let event, let payload,
                let message = Message(topic, event, .json(payload.bytes))
            else {
                let missing = [("topic", topic == nil), ("event", event == nil), ("payload", payload == nil)]
                let names = missing.filter(\.1).map { #""\#($0.0)":["can't be blank"]"# }
                faults.append("{\(names.joined(separator: ","))}")
                continue
            }
            faults.append("{}")
            messages.append(message)
        }
        guard messages.count == list.count else {
            throw HTTPRefusal(
                422, "Each message needs a topic, an event and an object as payload",
                errors: #"{"messages":[\#(faults.joined(separator: ","))]}"#)
        }
        return messages
    }
}
