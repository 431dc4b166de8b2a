internal import Crypto
internal import HTTPClient
internal import ParleyCore

/// The routes of each provider, by the names that the queue uses too: `<app>` or `<app> sandbox` of APNs, the app of FCM
/// and webhooks, the origin of a Web Push service.
extension PushSettings {
    static let sandboxSuffix = " sandbox"

    private func http(connections: Int, guarding networks: [IPNetwork]? = nil) -> HTTPConfiguration {
        var http = HTTPConfiguration(timeout: .seconds(15), maxBodyBytes: 4096, certificateAuthority: self.caFile)
        http.maxConnectionsPerHost = connections
        http.maxStreams = self.mostInFlight
        http.maxRequests = 2 * PushBounds().mostHeld
        http.addressGuard = networks.map { AddressGuard(allowed: $0) }
        return http
    }

    var apnsRoutes: PushLane<APNs>.Routes {
        let tokens = AppleTokens()
        return PushLane<APNs>.Routes(
            provider: .apns, name: { target in target.appID + (target.isSandbox ? Self.sandboxSuffix : "") },
            make: { name in
                let isSandbox = name.hasSuffix(Self.sandboxSuffix)
                let id = isSandbox ? String(name.dropLast(Self.sandboxSuffix.count)) : name
                guard let app = self.apns.first(where: { $0.appID == id }) else { return nil }
                // One connection, never shared with other credentials: Apple refuses a mix.
                return PushRoute(
                    provider: APNs(url: isSandbox ? app.sandboxURL : app.url, topic: app.appID),
                    session: HTTPSession(self.http(connections: 1)),
                    renew: {
                        let (text, life) = tokens.token(for: app, now: Clock.unixSeconds())
                        return .token(text, life: life)
                    })
            })
    }

    var fcmRoutes: PushLane<FCM>.Routes {
        PushLane<FCM>.Routes(
            provider: .fcm, name: { $0.appID },
            make: { name in
                guard let app = self.fcm.first(where: { $0.appID == name }) else { return nil }
                let session = HTTPSession(self.http(connections: 1))
                let tokens = GoogleTokens(
                    signer: JWTSigner(app.key, keyID: app.keyID), email: app.email, url: app.tokenURL,
                    session: session)
                return PushRoute(
                    provider: FCM(url: app.url, projectID: app.projectID, packageName: app.packageName),
                    session: session, renew: { await tokens.fetch(now: Clock.unixSeconds()) })
            })
    }

    func webPushRoutes(_ settings: WebPushApp) -> PushLane<WebPush>.Routes {
        let session = HTTPSession(self.http(connections: 1, guarding: settings.privateNetworks))
        return PushLane<WebPush>.Routes(
            provider: .webpush,
            name: { (target) throws(PushRefusal) in
                guard let origin = settings.endpoints.origin(of: target.token) else {
                    throw PushRefusal("the endpoint is of no known push service", isToken: true)
                }
                return origin
            },
            make: { origin in
                PushRoute(
                    provider: WebPush(navigate: settings.navigate), session: session,
                    renew: {
                        let life: Int64 = VAPID.longestLife / 2
                        return .token(
                            settings.vapid.authorization(for: origin, expiresAt: Clock.unixSeconds() + life),
                            life: .seconds(life))
                    })
            })
    }

    var webhookRoutes: PushLane<Webhook>.Routes {
        PushLane<Webhook>.Routes(
            provider: .webhook, name: { $0.appID },
            make: { name in
                guard let app = self.webhooks.first(where: { $0.appID == name }) else { return nil }
                return PushRoute(
                    provider: Webhook(url: app.url),
                    session: HTTPSession(self.http(connections: 4, guarding: app.privateNetworks)),
                    secret: app.secret)
            })
    }
}
