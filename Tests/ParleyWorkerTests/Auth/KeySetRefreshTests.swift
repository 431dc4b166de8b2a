import Testing

@testable import ParleyWorker

/// Lets expectations advance the state.
private final class Machine {
    private var refresh: KeySetRefresh
    init(now: Int64, isLoaded: Bool) { self.refresh = KeySetRefresh(now: now, isLoaded: isLoaded) }
    func tick(now: Int64) -> Bool { self.refresh.tick(now: now) }
    func unknownKey(now: Int64) -> Bool { self.refresh.unknownKey(now: now) }
    func fetched(now: Int64, succeeded: Bool) { self.refresh.fetched(now: now, succeeded: succeeded) }
}

@Suite struct KeySetRefreshTests {
    @Test func fetchesRegularly() {
        let refresh = Machine(now: 100, isLoaded: true)
        #expect(!refresh.tick(now: 100 + KeySetRefresh.period - 1))
        #expect(refresh.tick(now: 100 + KeySetRefresh.period))
        refresh.fetched(now: 1000, succeeded: true)
        #expect(!refresh.tick(now: 1001))
        #expect(refresh.tick(now: 1000 + KeySetRefresh.period))
    }

    @Test func fetchesOnceAtATime() {
        let refresh = Machine(now: 0, isLoaded: false)
        #expect(refresh.tick(now: 1))
        #expect(!refresh.tick(now: 2))
        #expect(!refresh.unknownKey(now: 3))
        #expect(!refresh.tick(now: 10_000))
        refresh.fetched(now: 10_000, succeeded: true)
        #expect(!refresh.tick(now: 10_001))
    }

    @Test func retriesFailuresEverMoreSlowly() {
        let refresh = Machine(now: 0, isLoaded: false)
        var now: Int64 = 0
        var pauses: [Int64] = []
        for _ in 0..<9 {
            let last = now
            while !refresh.tick(now: now) { now += 1 }
            pauses.append(now - last)
            refresh.fetched(now: now, succeeded: false)
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60])
        while !refresh.tick(now: now) { now += 1 }
        refresh.fetched(now: now, succeeded: true)
        #expect(!refresh.tick(now: now + KeySetRefresh.period - 1))
    }

    @Test func fetchesForUnknownKeysOnceInFiveMinutes() {
        let refresh = Machine(now: 0, isLoaded: true)
        #expect(refresh.unknownKey(now: 10))
        #expect(refresh.tick(now: 10))
        refresh.fetched(now: 11, succeeded: true)
        for now: Int64 in 11..<310 {
            #expect(!refresh.unknownKey(now: now))
            #expect(!refresh.tick(now: now))
        }
        #expect(refresh.unknownKey(now: 310))
        #expect(refresh.tick(now: 310))
    }
}

@Suite struct KeySetSourceTests {
    @Test(arguments: [
        ("keys.json", KeySetSource.file("keys.json")), ("/etc/keys.json", .file("/etc/keys.json")),
        ("https://example.com/jwks", .url("https://example.com/jwks")),
        ("http://localhost:9999/jwks", .url("http://localhost:9999/jwks")),
        ("http://127.0.0.1/jwks", .url("http://127.0.0.1/jwks")), ("http://[::1]:80/", .url("http://[::1]:80/")),
    ])
    func acceptsFilesAndSafeURLs(text: String, source: KeySetSource) {
        #expect(KeySetSource(text) == source)
    }

    @Test(arguments: [
        "", "https://", "http://example.com/", "http://localhost.example.com/", "http://localhost@example.com/",
        "http://localhost:80@example.com/", "http://127.0.0.1.example.com/", "http://[::1].example.com/",
        "http://example.com#localhost", "ftp://localhost/", "file:///etc/passwd", "HTTPS://example.com",
    ])
    func refusesOtherURLs(text: String) {
        #expect(KeySetSource(text) == nil)
    }
}
