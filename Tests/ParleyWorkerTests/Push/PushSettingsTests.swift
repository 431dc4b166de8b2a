import FoundationEssentials
import Support
import Testing

@testable import ParleyWorker

@Suite struct PushSettingsTests {
    private func refusal(_ json: String) throws -> String {
        let folder = FileManager.default.temporaryDirectory.path + "/parley-settings-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("no key".utf8).write(to: URL(filePath: folder + "/bad.pem"))
        try Data(#"{"token_uri":"https://evil.example/token"}"#.utf8).write(to: URL(filePath: folder + "/account.json"))
        try Data(json.utf8).write(to: URL(filePath: folder + "/push.json"))
        do throws(ConfigurationError) {
            _ = try PushSettings.load(folder + "/push.json")
            return ""
        } catch {
            #expect(error.setting.contains("--push"))
            return error.message.replacing(folder + "/", with: "")
        }
    }

    @Test(arguments: [
        ("", "the file is not JSON"), ("[]", "the file is not a JSON object"),
        (#"{"apn":[]}"#, "the file names 'apn', which is no setting"), (#"{"apns":{}}"#, "apns is not a list"),
        (#"{"apns":[{}]}"#, "apns[0] needs the text key_file"),
        (
            #"{"apns":[{"app_id":"a","team_id":"t","key_id":"k","key_file":"none.p8"}]}"#, "'none.p8' cannot be read"
        ),
        (
            #"{"apns":[{"app_id":"a","team_id":"t","key_id":"k","key_file":"bad.pem"}]}"#,
            "bad.pem holds no P-256 private key in PEM"
        ),
        (
            #"{"fcm":[{"app_id":"a","service_account_file":"account.json"}]}"#,
            "account.json names a token_uri that is none of Google's"
        ),
        (#"{"webhook":[{"app_id":"a","url":"https://x","secret_file":"bad.pem"}]}"#, "bad.pem does not hold whsec_"),
        (#"{"per_second":-1}"#, "per_second is not"), (#"{"in_flight":0}"#, "in_flight is not"),
    ])
    func saysWhatCannotBeUsed(json: String, start: String) throws {
        let message = try self.refusal(json)
        #expect(message.hasPrefix(start), "\(message)")
    }

    @Test func anEmptyFileSendsNothing() throws { #expect(try self.refusal("{}") == "") }
}
