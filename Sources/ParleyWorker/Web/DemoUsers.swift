internal import Support
internal import WebServer

/// Users whom anybody at this machine may be: those of `parley dev`.
///
/// Their tokens go to pages of this server that are opened on this machine. A page of another site, even one whose name
/// is made to lead here, and another machine, also through a proxy or a tunnel on this one, get a 403.
struct DemoUsers: Sendable {
    static let path = "/demo/users.json"

    /// Makes the answer, with fresh tokens.
    let json: @Sendable () -> [UInt8]

    func response(to request: HTTPRequest) -> HTTPResponse {
        let site = request.headers["sec-fetch-site"] ?? "none"
        let isHere =
            Self.isLoopback(request.peer) && Self.isLoopback(Self.name(request.headers["host"] ?? ""))
            && ["same-origin", "none"].contains(site)
        let proxied = ["forwarded", "x-forwarded-for", "x-forwarded-host", "via"].first { request.headers[$0] != nil }
        guard isHere, proxied == nil else {
            return .json(
                403,
                #"{"code":"PT403","message":"The demo users can be used on the machine of the server, by localhost."}"#)
        }
        return HTTPResponse(
            status: 200,
            headers: [
                ("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "same-origin"),
            ], body: self.json())
    }

    /// The host without its port.
    private static func name(_ host: String) -> String {
        if host.hasPrefix("[") { return String(host.dropFirst().prefix { $0 != "]" }) }
        return String(host.prefix { $0 != ":" })
    }

    private static func isLoopback(_ name: String) -> Bool {
        name == "localhost" || name == "::1" || name.hasPrefix("127.") && name.allSatisfy { $0.isNumber || $0 == "." }
            || name.hasPrefix("::ffff:127.")
    }
}
