internal import ParleyCore
internal import WebServer

/// The checks of the opening handshake that concern its request alone.
enum UpgradeCheck {
    enum Refusal {
        case notFound, version, noKey
        case token(TokenRefusal)
        case tooManyConnections, tooManyUpgrades, starting, restarting
    }

    static let paths: Set<String> = ["/realtime/v1/websocket", "/socket/websocket"]

    /// The serializer asked for; nil for one that is not spoken here.
    static func version(_ request: HTTPRequest) -> SerializerVersion? {
        guard let asked = request.queryValue("vsn") else { return .v1 }
        let parts = asked.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1] == "0", UInt16(parts[2]) != nil else { return nil }
        switch parts[0] {
        case "1": return .v1
        case "2": return .v2
        default: return nil
        }
    }

    /// The key of the request: a header wins over the query. White space is removed; nil when nothing is left.
    static func key(_ request: HTTPRequest) -> String? {
        let raw = request.headers["x-api-key"] ?? request.headers["apikey"] ?? request.queryValue("apikey")
        guard let key = raw?.filter({ !$0.isWhitespace }), !key.isEmpty else { return nil }
        return key
    }

    static func response(_ refusal: Refusal) -> HTTPResponse {
        switch refusal {
        case .notFound: Self.error(404, "Not found")
        case .version: HTTPResponse(status: 403)
        case .noKey: Self.error(401, ProtocolText.Handshake.missingKey)
        case .token(let refusal): Self.error(401, refusal.upgradeText)
        case .tooManyConnections: Self.error(429, ProtocolText.Handshake.tooManyUsers, retryAfter: 5)
        case .tooManyUpgrades: Self.error(429, ProtocolText.Handshake.tooManyJoins, retryAfter: 1)
        case .starting: Self.error(503, "Realtime is starting, please try again", retryAfter: 1)
        case .restarting: Self.error(503, "Realtime is restarting, please standby", retryAfter: 1)
        }
    }

    private static func error(_ status: Int, _ text: String, retryAfter: Int? = nil) -> HTTPResponse {
        var writer = JSONWriter()
        writer.raw("{\"error\":")
        writer.string(text)
        writer.byte(UInt8(ascii: "}"))
        var headers = [("content-type", "application/json; charset=utf-8")]
        if let retryAfter { headers.append(("retry-after", String(retryAfter))) }
        return HTTPResponse(status: status, headers: headers, body: writer.bytes)
    }
}
