import ParleyCore
import Testing

@Suite struct LinkSafetyTests {
    @Test func aRequestNamesEveryLink() throws {
        let request = try JSONValue.parse(
            LinkSafety.request(["http://a.example/", "http://b.example/"], clientVersion: "1"))
        #expect(request["client"]?["clientId"]?.string == "parley")
        let entries = request["threatInfo"]?["threatEntries"]?.array ?? []
        #expect(entries.map { $0["url"]?.string } == ["http://a.example/", "http://b.example/"])
    }

    @Test(arguments: [
        ("{}", []),
        (#"{"matches":[]}"#, []),
        (
            #"{"matches":[{"threat":{"url":"http://a.example/"},"cacheDuration":"593.440s"}]}"#,
            [LinkSafety.Warning(url: "http://a.example/", cacheSeconds: 593)]
        ),
        (
            #"{"matches":[{"threat":{"url":"b"},"cacheDuration":"60s"},{"threat":{"url":"c"}}]}"#,
            [LinkSafety.Warning(url: "b", cacheSeconds: 60), LinkSafety.Warning(url: "c", cacheSeconds: 300)]
        ),
    ])
    func anAnswerIsRead(body: String, warnings: [LinkSafety.Warning]) {
        #expect(LinkSafety.warnings(Array(body.utf8)) == warnings)
    }

    @Test(arguments: ["", "[]", "<html>", #"{"matches":{}}"#, #"{"matches":[{"threat":{}}]}"#])
    func whatIsNoAnswerIsNotTakenForOne(body: String) {
        #expect(LinkSafety.warnings(Array(body.utf8)) == nil)
    }

    @Test(
        arguments: [
            (#"{"confidence":0.5}"#, 0.5), (#"{"confidence":1}"#, 1), (#"{"confidence":2}"#, nil), ("{}", nil),
            ("x", nil),
        ] as [(String, Double?)])
    func aClassifierIsRead(body: String, confidence: Double?) {
        #expect(TextClassifier.confidence(Array(body.utf8)) == confidence)
    }
}
