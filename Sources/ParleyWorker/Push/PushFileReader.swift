internal import Crypto
internal import FoundationEssentials
internal import HTTPClient
internal import ParleyCore
internal import Support

/// Reads the settings of push, and says which of them cannot be used.
struct PushFileReader {
    private let folder: String

    init(_ path: String) {
        self.folder = String(path[..<(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)])
    }

    func error(_ message: String) -> ConfigurationError {
        ConfigurationError(.invalid, setting: "--push (PARLEY_PUSH)", message)
    }

    func resolve(_ path: String) -> String { path.hasPrefix("/") ? path : self.folder + path }

    func bytes(of path: String) throws(ConfigurationError) -> [UInt8] {
        do throws(FileText.ReadError) {
            return try FileText.bytes(of: path, limit: 1024 * 1024)
        } catch { throw self.error("\(error)") }
    }

    /// - Parameter place: how the operator finds it.
    func object(_ bytes: [UInt8], _ place: String) throws(ConfigurationError) -> JSONObject {
        do throws(JSONError) {
            if let object = try JSONValue.parse(bytes).object { return object }
        } catch { throw self.error("\(place) is not JSON: \(error)") }
        throw self.error("\(place) is not a JSON object")
    }

    func allow(_ names: Set<String>, in object: JSONObject, _ place: String) throws(ConfigurationError) {
        for member in object.members where !names.contains(member.key) {
            throw self.error("\(place) names '\(member.key)', which is no setting")
        }
    }

    /// The entries of a list, each with its place.
    func entries(_ name: String, _ root: JSONObject) throws(ConfigurationError) -> [(String, JSONValue)] {
        guard let value = root[name] else { return [] }
        guard let list = value.array else { throw self.error("\(name) is not a list") }
        return list.enumerated().map { ("\(name)[\($0)]", $1) }
    }

    private func members(
        _ value: JSONValue, _ place: String, _ names: Set<String>
    ) throws(ConfigurationError) -> JSONObject {
        guard let object = value.object else { throw self.error("\(place) is not an object") }
        try self.allow(names, in: object, place)
        return object
    }

    private func text(_ name: String, _ object: JSONObject, _ place: String) throws(ConfigurationError) -> String {
        guard let text = object[name]?.string, !text.isEmpty else {
            throw self.error("\(place) needs the text \(name)")
        }
        return text
    }

    /// An https URL without a slash at its end.
    private func url(
        _ name: String, _ object: JSONObject, _ place: String, otherwise: String? = nil
    ) throws(ConfigurationError) -> String {
        if object[name] == nil, let otherwise { return otherwise }
        let text = try self.text(name, object, place)
        guard text.hasPrefix("https://"), text.utf8.count > 8 else {
            throw self.error("\(place).\(name) is no https URL")
        }
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    private func key(
        _ bytes: [UInt8], _ kind: PrivateKey.Kind, _ place: String
    ) throws(ConfigurationError) -> PrivateKey {
        guard let key = PrivateKey(pem: bytes), key.kind == kind else {
            throw self.error("\(place) holds no \(kind == .p256 ? "P-256" : "RSA") private key in PEM")
        }
        return key
    }

    private func texts(_ name: String, _ object: JSONObject, _ place: String) throws(ConfigurationError) -> [String]? {
        guard let value = object[name] else { return nil }
        guard let list = value.array, case let texts = list.compactMap(\.string), texts.count == list.count else {
            throw self.error("\(place).\(name) is not a list of texts")
        }
        return texts
    }

    private func networks(_ object: JSONObject, _ place: String) throws(ConfigurationError) -> [IPNetwork] {
        var networks: [IPNetwork] = []
        for text in try self.texts("private_networks", object, place) ?? [] {
            guard let network = IPNetwork(text) else {
                throw self.error("\(place).private_networks: '\(text)' is no network as in 10.0.0.0/8")
            }
            networks.append(network)
        }
        return networks
    }

    /// What opens sealed tokens.
    func secretKey(_ root: JSONObject) throws(ConfigurationError) -> String? {
        guard let path = root["secret_key_file"]?.string.map(self.resolve) else { return nil }
        let text = String(decoding: try self.bytes(of: path), as: UTF8.self)
        guard text.contains("-----BEGIN PGP PRIVATE KEY BLOCK-----") else {
            throw self.error("\(path) holds no armored OpenPGP private key")
        }
        return text
    }

    // MARK: - Providers

    func apns(_ value: JSONValue, _ place: String) throws(ConfigurationError) -> PushSettings.APNsApp {
        let entry = try self.members(value, place, ["app_id", "team_id", "key_id", "key_file", "url", "sandbox_url"])
        let file = self.resolve(try self.text("key_file", entry, place))
        let url = try self.url("url", entry, place, otherwise: APNs.production)
        return PushSettings.APNsApp(
            appID: try self.text("app_id", entry, place), teamID: try self.text("team_id", entry, place),
            keyID: try self.text("key_id", entry, place), key: try self.key(try self.bytes(of: file), .p256, file),
            url: url,
            sandboxURL: try self.url(
                "sandbox_url", entry, place, otherwise: url == APNs.production ? APNs.sandbox : url))
    }

    func fcm(_ value: JSONValue, _ place: String) throws(ConfigurationError) -> PushSettings.FCMApp {
        let entry = try self.members(
            value, place, ["app_id", "service_account_file", "url", "token_hosts", "package_name"])
        let file = self.resolve(try self.text("service_account_file", entry, place))
        let account = try self.object(try self.bytes(of: file), file)
        let tokenURL = try self.url("token_uri", account, file)
        let hosts = try self.texts("token_hosts", entry, place) ?? PushSettings.tokenHosts
        let host = tokenURL.dropFirst(8).prefix { !":/?#".contains($0) }
        guard hosts.contains(String(host)), !tokenURL.contains("@") else {
            throw self.error("\(file) names a token_uri that is none of Google's")
        }
        return PushSettings.FCMApp(
            appID: try self.text("app_id", entry, place), projectID: try self.text("project_id", account, file),
            email: try self.text("client_email", account, file), keyID: account["private_key_id"]?.string,
            key: try self.key(Array(try self.text("private_key", account, file).utf8), .rsa, file), tokenURL: tokenURL,
            url: try self.url("url", entry, place, otherwise: FCM.service), packageName: entry["package_name"]?.string)
    }

    func webPush(_ value: JSONValue, _ place: String) throws(ConfigurationError) -> PushSettings.WebPushApp {
        let entry = try self.members(value, place, ["key_file", "subject", "navigate", "hosts", "private_networks"])
        let file = self.resolve(try self.text("key_file", entry, place))
        let key = try self.key(try self.bytes(of: file), .p256, file)
        guard let vapid = VAPID(key, subject: try self.text("subject", entry, place)) else {
            throw self.error("\(place).subject is no mailto: or https: URL without spaces and brackets")
        }
        return PushSettings.WebPushApp(
            vapid: vapid, navigate: try self.url("navigate", entry, place),
            endpoints: PushEndpoints(hosts: try self.texts("hosts", entry, place) ?? PushEndpoints.known),
            privateNetworks: try self.networks(entry, place))
    }

    func webhook(_ value: JSONValue, _ place: String) throws(ConfigurationError) -> PushSettings.WebhookApp {
        let entry = try self.members(value, place, ["app_id", "url", "secret_file", "private_networks"])
        let file = self.resolve(try self.text("secret_file", entry, place))
        let text = String(decoding: try self.bytes(of: file), as: UTF8.self).trimmingPrefix { $0.isWhitespace }
        let line = text.prefix { !$0.isWhitespace }
        guard line.hasPrefix(PushSettings.secretPrefix),
            let secret = Data(base64Encoded: String(line.dropFirst(PushSettings.secretPrefix.count))),
            (24...64).contains(secret.count)
        else {
            throw self.error("\(file) does not hold \(PushSettings.secretPrefix) and 24 to 64 bytes in base64")
        }
        return PushSettings.WebhookApp(
            appID: try self.text("app_id", entry, place), url: try self.url("url", entry, place), secret: Array(secret),
            privateNetworks: try self.networks(entry, place))
    }
}
