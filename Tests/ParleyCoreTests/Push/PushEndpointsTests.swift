import Testing

@testable import ParleyCore

@Suite struct PushEndpointsTests {
    @Test(arguments: [
        ("https://fcm.googleapis.com/fcm/send/x", "https://fcm.googleapis.com"),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", "https://updates.push.services.mozilla.com"),
        ("HTTPS://WEB.push.apple.com:443/x", "https://web.push.apple.com"),
    ])
    func knowsTheServicesOfBrowsers(endpoint: String, origin: String) {
        #expect(PushEndpoints().origin(of: endpoint) == origin)
    }

    @Test(arguments: [
        "", "https://", "http://fcm.googleapis.com/x", "https://evil.example/fcm.googleapis.com",
        "https://fcm.googleapis.com.evil.example/", "https://fcm.googleapis.com@evil.example/",
        "https://user@fcm.googleapis.com/", "https://fcm.googleapis.com:8443/", "https://push.apple.com/",
        "https://evilpush.apple.com/", "https://[::1]/", "https://127.0.0.1/", "https://fcm.googleapis.com\\@evil/",
        "https://fcm.googleapis.com:443:1/", "https://fcm.googleapis.com /x", "https://ｆcm.googleapis.com/",
    ])
    func refusesTheRest(endpoint: String) { #expect(PushEndpoints().origin(of: endpoint) == nil) }

    @Test func takesHostsThatAreNamed() {
        let named = PushEndpoints(hosts: ["push.example:8443", "*.Own.example"])
        #expect(named.origin(of: "https://push.example:8443/x") == "https://push.example:8443")
        #expect(named.origin(of: "https://a.own.example/") == "https://a.own.example")
        #expect(named.origin(of: "https://push.example/") == nil && named.origin(of: "https://own.example/") == nil)
        let any = PushEndpoints(hosts: ["*"])
        #expect(any.origin(of: "https://what.example/") != nil && any.origin(of: "https://what.example:22/") == nil)
    }
}
