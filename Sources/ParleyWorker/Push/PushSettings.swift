internal import Crypto
internal import FoundationEssentials
internal import HTTPClient
internal import ParleyCore
internal import Support

/// What push needs: a JSON file of providers, which names the files that hold their keys.
struct PushSettings: Sendable {
    struct APNsApp: Sendable {
        var appID: String
        var teamID: String
        var keyID: String
        var key: PrivateKey
        var url: String
        var sandboxURL: String
    }

    struct FCMApp: Sendable {
        var appID: String
        var projectID: String
        var email: String
        var keyID: String?
        var key: PrivateKey
        var tokenURL: String
        var url: String
        var packageName: String?
    }

    struct WebPushApp: Sendable {
        var vapid: VAPID
        var navigate: String
        var endpoints: PushEndpoints
        var privateNetworks: [IPNetwork]
    }

    struct WebhookApp: Sendable {
        var appID: String
        var url: String
        var secret: [UInt8]
        var privateNetworks: [IPNetwork]
    }

    /// Workers with other providers have another name, and add up.
    var name = ""
    /// Authorities to trust in place of the system's.
    var caFile: String?
    /// Opens tokens that the database holds sealed: an OpenPGP key, armored.
    var secretKey: String?
    /// Requests a second and route; 0 for no limit.
    var perSecond = 0.0
    /// Requests under way at once, per route.
    var mostInFlight = 100
    var apns: [APNsApp] = []
    var fcm: [FCMApp] = []
    var webPush: WebPushApp?
    var webhooks: [WebhookApp] = []

    /// Hosts where Google's access tokens are to be had; an account's file that names another is refused.
    static let tokenHosts = ["oauth2.googleapis.com"]
    static let secretPrefix = "whsec_"

    func has(_ provider: PushTarget.Provider) -> Bool {
        switch provider {
        case .apns: !self.apns.isEmpty
        case .fcm: !self.fcm.isEmpty
        case .webpush: self.webPush != nil
        case .webhook: !self.webhooks.isEmpty
        }
    }

    /// What the database is told: which apps this worker sends for, and what browsers subscribe with.
    var providers: JSONValue {
        func app(_ provider: PushTarget.Provider, _ id: String) -> JSONValue {
            ["provider": .string(provider.rawValue), "app_id": .string(id)]
        }
        var list = self.apns.map { app(.apns, $0.appID) } + self.fcm.map { app(.fcm, $0.appID) }
        if let webPush {
            list.append(["provider": "webpush", "public_key": .string(webPush.vapid.publicKey)])
        }
        return .array(list + self.webhooks.map { app(.webhook, $0.appID) })
    }

    /// Reads the file and those it names, relative to its own folder.
    static func load(_ path: String) throws(ConfigurationError) -> PushSettings {
        let reader = PushFileReader(path)
        let root = try reader.object(try reader.bytes(of: path), "the file")
        try reader.allow(
            ["name", "ca_file", "secret_key_file", "per_second", "in_flight", "apns", "fcm", "webpush", "webhook"],
            in: root, "the file")
        var settings = PushSettings()
        settings.name = root["name"]?.string ?? ""
        settings.caFile = root["ca_file"]?.string.map(reader.resolve)
        settings.secretKey = try reader.secretKey(root)
        if let rate = root["per_second"] {
            guard let value = rate.number?.double, value >= 0, value <= 1_000_000 else {
                throw reader.error("per_second is not a number from 0 to 1000000")
            }
            settings.perSecond = value
        }
        if let count = root["in_flight"] {
            guard let value = count.int64, (1...1000).contains(value) else {
                throw reader.error("in_flight is not a whole number from 1 to 1000")
            }
            settings.mostInFlight = Int(value)
        }
        for (place, entry) in try reader.entries("apns", root) { settings.apns.append(try reader.apns(entry, place)) }
        for (place, entry) in try reader.entries("fcm", root) { settings.fcm.append(try reader.fcm(entry, place)) }
        if let entry = root["webpush"] { settings.webPush = try reader.webPush(entry, "webpush") }
        for (place, entry) in try reader.entries("webhook", root) {
            settings.webhooks.append(try reader.webhook(entry, place))
        }
        return settings
    }
}
