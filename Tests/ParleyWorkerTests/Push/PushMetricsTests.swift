import Crypto
import ParleyCore
import Support
import Testing

@testable import ParleyWorker

@Suite struct PushMetricsTests {
    private func settlement(_ outcome: PushSettlement.Outcome, _ reason: String) -> PushSettlement {
        PushSettlement(jobID: "job", claim: 1, outcome, reason)
    }

    @Test func countsByProviderOutcomeAndReason() {
        let metrics = PushMetrics()
        for _ in 0..<3 { metrics.settled(self.settlement(.delivered, "200"), of: .apns, madeAt: 1000, now: 1250) }
        metrics.settled(self.settlement(.deadToken(before: 1), "Unregistered"), of: .apns, madeAt: nil, now: 0)
        metrics.settled(self.settlement(.dead, "a\"b\\\r\nc"), of: .fcm, madeAt: nil, now: 0)
        metrics.route("app", of: .apns, isStopped: true)
        metrics.saw([PushMetrics.QueueState(provider: "apns", lane: "call", due: 2, age: 1500)])
        #expect(!metrics.text().contains("parley_push_events_behind"))
        metrics.saw(PushMetrics.LogState(events: 7, age: 2500, resets: 2, skipped: 1))
        let text = metrics.text()
        for line in [
            #"parley_push_settled_total{provider="apns",outcome="delivered",reason="200"} 3"#,
            #"parley_push_settled_total{provider="fcm",outcome="dead",reason="ab  c"} 1"#,
            #"parley_push_tokens_dropped_total{provider="apns"} 1"#, #"parley_push_routes_stopped{provider="apns"} 1"#,
            #"parley_push_delay_seconds_count{provider="apns"} 3"#,
            #"parley_push_queue_age_seconds{provider="apns",lane="call"} 1.5"#,
            "parley_push_events_behind 7", "parley_push_events_age_seconds 2.5", "parley_push_log_resets_total 2",
            "parley_push_events_skipped_total 1",
        ] { #expect(text.contains(line + "\n"), "\(line) is not in\n\(text)") }
    }

    @Test func reasonsOfProvidersDoNotGrowWithoutBound() {
        let metrics = PushMetrics()
        for number in 0..<2000 {
            metrics.settled(self.settlement(.dead, "reason \(number)"), of: .webhook, madeAt: nil, now: 0)
        }
        let lines = metrics.text().split(separator: "\n").filter { $0.hasPrefix("parley_push_settled_total") }
        #expect(lines.count == 501)
        #expect(lines.contains(#"parley_push_settled_total{provider="webhook",outcome="dead",reason="other"} 1500"#))
    }

    @Test func oneTokenOfApplesForEachKey() async throws {
        let made = try await ChildProcess.run(
            "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        let key = try #require(PrivateKey(pem: Array(made.output.utf8)))
        func app(_ id: String, _ keyID: String) -> PushSettings.APNsApp {
            PushSettings.APNsApp(appID: id, teamID: "TEAM", keyID: keyID, key: key, url: "", sandboxURL: "")
        }
        let tokens = AppleTokens()
        let first = tokens.token(for: app("one", "A"), now: 0)
        let shared = tokens.token(for: app("two", "A"), now: 1199)
        let other = tokens.token(for: app("one", "B"), now: 1199)
        let renewed = tokens.token(for: app("two", "A"), now: 1200)
        #expect(first.life == .seconds(3600))
        #expect(shared.text == first.text && shared.life == .seconds(3600 - 1199))
        #expect(other.text != first.text && renewed.text != first.text && renewed.life == .seconds(3600))
    }
}
