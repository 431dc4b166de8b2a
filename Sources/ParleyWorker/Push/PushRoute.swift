internal import Crypto
internal import FoundationEssentials
internal import HTTPClient
internal import ParleyCore
internal import Support

/// A provider with one set of credentials, or one Web Push service: what a lane needs to send there.
struct PushRoute<Provider: PushProvider>: Sendable {
    /// A new provider token.
    enum Renewal: Sendable {
        case token(String, life: Duration)
        case failed(reason: String, isRefused: Bool)
    }

    var provider: Provider
    var session: HTTPSession
    /// Signs requests of a webhook.
    var secret: [UInt8] = []
    var renew: @Sendable () async -> Renewal = { .failed(reason: "no provider token is needed", isRefused: true) }

    /// Seals a request, sends it and tells how that ended.
    func send(_ request: PushRequest) async -> PushAnswer {
        var headers = request.headers.map { (name: $0.name, value: $0.value) }
        var body = request.body
        var isForeign = false
        switch request.sealing {
        case .none: break
        case .webPush(let p256dh, let auth, let padding):
            isForeign = true
            guard let point = Base64URL.decode(p256dh.utf8), let secret = Base64URL.decode(auth.utf8),
                let subscription = WebPushEncryption.Subscription(p256dh: point, auth: secret)
            else { return .impossible("the keys of the subscription are none") }
            body = WebPushEncryption.seal(body, for: subscription, paddedTo: padding)
        case .webhook(let id, let timestamp):
            let code = hmacSHA256(key: self.secret, Webhook.signedText(id: id, timestamp: timestamp, body: body))
            headers.append(("webhook-signature", "v1," + Data(code).base64EncodedString()))
        }
        do throws(HTTPError) {
            let answer = try await self.session.send(
                .init(.post, request.url, headers: headers, body: body, freshConnection: request.freshConnection))
            return .response(status: answer.status, body: answer.body, retryAfter: answer.header("retry-after"))
        } catch {
            switch error.code {
            case .timeout: return .timeout
            // Of an endpoint that a browser named; of an address in the settings it would not be the device's fault.
            case .addressRefused where isForeign, .invalidURL where isForeign: return .impossible("address refused")
            default: return .lost("\(error)")
            }
        }
    }
}

/// Signs provider tokens for APNs: one for each key, whoever sends with it, since Apple refuses a key whose tokens are
/// renewed more often than every 20 minutes.
final class AppleTokens: Sendable {
    private struct Token: Sendable {
        var text: String
        /// Seconds since 1970.
        var madeAt: Int64
    }

    private let made = Locked<[String: Token]>([:])

    func token(for app: PushSettings.APNsApp, now: Int64) -> (text: String, life: Duration) {
        self.made.withLock { made in
            let key = app.teamID + "/" + app.keyID
            if let token = made[key], case let age = now - token.madeAt, .seconds(age) < APNs.shortestRenewal, age >= 0
            {
                return (token.text, APNs.tokenLife - .seconds(age))
            }
            let claims: JSONObject = ["iss": .string(app.teamID), "iat": .int(now)]
            let text = JWTSigner(app.key, keyID: app.keyID).sign(claims.serialized())
            made[key] = Token(text: text, madeAt: now)
            return (text, APNs.tokenLife)
        }
    }
}

/// Fetches access tokens of a Google service account (RFC 7523).
struct GoogleTokens: Sendable {
    let signer: JWTSigner
    let email: String
    /// Where they are to be had, and the audience of the request.
    let url: String
    let session: HTTPSession

    func fetch(now: Int64) async -> PushRoute<FCM>.Renewal {
        let claims: JSONObject = [
            "iss": .string(self.email), "scope": .string(FCM.scope), "aud": .string(self.url), "iat": .int(now),
            "exp": .int(now + 3600),
        ]
        // base64url and dots need no escapes in a form.
        let form =
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="
            + self.signer.sign(claims.serialized())
        do throws(HTTPError) {
            let answer = try await self.session.send(
                .init(
                    .post, self.url, headers: [("content-type", "application/x-www-form-urlencoded")],
                    body: Array(form.utf8)))
            let json = try? JSONValue.parse(answer.body)
            guard answer.status == 200, let token = json?["access_token"]?.string, !token.isEmpty else {
                let isRefused = (400..<500).contains(answer.status) && answer.status != 429
                return .failed(reason: "the token endpoint answered \(answer.status)", isRefused: isRefused)
            }
            let life = json?["expires_in"]?.int64 ?? 3600
            return .token(token, life: .seconds(max(60, min(life, 24 * 3600))))
        } catch {
            return .failed(reason: "\(error)", isRefused: false)
        }
    }
}
