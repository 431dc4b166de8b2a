internal import Testing

@testable internal import ParleyCore

@Suite struct JoinConfigTests {
    private func config(_ text: String) -> JoinConfig { JoinConfig(payload: utf8(#"{"config":\#(text)}"#)) }

    @Test func readsAWholeJoin() {
        let config = JoinConfig(
            payload: utf8(
                #"{"config":{"broadcast":{"ack":true,"self":true,"replay":{"since":1700000000000,"limit":10},"#
                    + #""replication_ready":true},"presence":{"key":"me","enabled":true},"private":true,"#
                    + #""postgres_changes":[]},"access_token":"a.b.c","version":"js/2"}"#))
        var expected = JoinConfig()
        expected.acknowledges = true
        expected.receivesOwn = true
        expected.replay = .since(milliseconds: 1_700_000_000_000, limit: 10)
        expected.presenceKey = "me"
        expected.presenceEnabled = true
        expected.isPrivate = true
        expected.accessToken = "a.b.c"
        #expect(config == expected)
        #expect(config.joinResponse == utf8(#"{"postgres_changes":[]}"#))
    }

    @Test(arguments: ["{}", "null", "[]", "1", "", "{", #"{"config":null}"#])
    func readsNothingFromNothing(_ payload: String) {
        var config = JoinConfig(payload: utf8(payload))
        config.problems = []
        #expect(config == JoinConfig())
        #expect(config.joinResponse == utf8(#"{"postgres_changes":[]}"#))
    }

    @Test(
        arguments: [
            ("true", true, true), ("false", false, true), (#""true""#, true, true), (#""TRUE""#, true, true),
            (#""False""#, false, true), ("null", false, true), ("1", false, false), (#""yes""#, false, false),
            ("{}", false, false), (#""""#, false, false),
        ])
    func readsFlexibleBooleans(_ text: String, _ value: Bool, _ isValid: Bool) {
        let config = self.config(
            #"{"broadcast":{"ack":\#(text),"self":\#(text)},"presence":{"enabled":\#(text)},"private":\#(text)}"#)
        #expect(
            [config.acknowledges, config.receivesOwn, config.presenceEnabled, config.isPrivate]
                == Array(repeating: value, count: 4))
        let names = ["config.broadcast.ack", "config.broadcast.self", "config.presence.enabled", "config.private"]
        #expect(config.problems == (isValid ? [] : names))
    }

    @Test(
        arguments: [
            ("null", .none), (#"{"after":0}"#, .after(eventSeq: 0, limit: 1000)),
            (#"{"after":41,"limit":25}"#, .after(eventSeq: 41, limit: 25)),
            (#"{"after":-5,"limit":0}"#, .after(eventSeq: 0, limit: 1)),
            (#"{"after":1,"since":2,"limit":-1}"#, .after(eventSeq: 1, limit: 1)),
            (#"{"after":null,"since":2,"limit":null}"#, .since(milliseconds: 2, limit: 1000)),
            (#"{"since":0,"limit":1000000000}"#, .since(milliseconds: 0, limit: 1000)),
            (#"{"since":-1}"#, .since(milliseconds: 0, limit: 1000)),
            (#"{"since":9223372036854775807}"#, .since(milliseconds: 253_402_300_799_999, limit: 1000)),
            ("{}", .invalid), ("[]", .invalid), ("1", .invalid), (#"{"limit":5}"#, .invalid),
            (#"{"since":"1"}"#, .invalid), (#"{"since":1.5}"#, .invalid), (#"{"since":1e3}"#, .invalid),
            (#"{"since":9223372036854775808}"#, .invalid), (#"{"since":null}"#, .invalid),
            (#"{"since":1,"limit":"5"}"#, .invalid), (#"{"after":"1"}"#, .invalid), (#"{"after":true}"#, .invalid),
            (#"{"after":1,"after":2}"#, .invalid),
        ] as [(String, ReplayRequest)])
    func readsReplay(_ text: String, _ expected: ReplayRequest) {
        #expect(self.config(#"{"broadcast":{"replay":\#(text)},"private":true}"#).replay == expected)
    }

    @Test func wrongShapesDoNotStopTheRest() {
        let config = self.config(
            #"{"broadcast":[],"presence":{"key":{},"enabled":"true"},"private":true,"postgres_changes":{}}"#)
        #expect(config.isPrivate)
        #expect(config.presenceEnabled)
        #expect(config.presenceKey == nil)
        #expect(config.problems == ["config.broadcast", "config.presence.key", "config.postgres_changes"])
    }

    @Test(
        arguments: [(#""me""#, "me"), (#""""#, nil), ("null", nil), ("7", "7"), ("true", "true"), ("[]", nil)]
            as [(String, String?)])
    func readsPresenceKeys(_ text: String, _ key: String?) {
        #expect(self.config(#"{"presence":{"key":\#(text)}}"#).presenceKey == key)
    }

    @Test(
        arguments: [
            (#"{"access_token":"a.b.c"}"#, "a.b.c"), (#"{"user_token":"u"}"#, "u"),
            (#"{"access_token":"a","user_token":"u"}"#, "a"), (#"{"access_token":null,"user_token":"u"}"#, "u"),
            (#"{"access_token":null}"#, nil), ("{}", nil), (#"{"access_token":"sb_publishable_x"}"#, nil),
            (#"{"access_token":"sb_x","user_token":"u"}"#, nil), (#"{"access_token":""}"#, ""),
            (#"{"access_token":7}"#, nil),
        ] as [(String, String?)])
    func readsTokens(_ payload: String, _ token: String?) {
        #expect(JoinConfig(payload: utf8(payload)).accessToken == token)
    }

    @Test(
        arguments: [
            (#"{"access_token":"new"}"#, "new"), (#"{"access_token":null}"#, nil), ("{}", nil),
            (#"{"access_token":"sb_secret"}"#, nil), (#"{"access_token":""}"#, ""), (#"{"access_token":1}"#, nil),
            ("[]", nil), ("", nil),
        ] as [(String, String?)])
    func readsTokenUpdates(_ payload: String, _ token: String?) {
        #expect(AccessToken.update(payload: utf8(payload)) == token)
    }

    @Test func echoesPostgresChanges() throws {
        let first = #"{"event":"INSERT", "schema":"public","table":"t","filter":"id=eq.1"}"#
        let config = self.config(#"{"postgres_changes":[\#(first),null,{ },{"event":"*","id":5},\#(first),7]}"#)
        #expect(config.postgresChanges.count == 4)
        #expect(config.problems == ["config.postgres_changes"])
        #expect(config.postgresChanges[0] == config.postgresChanges[3])
        let ids = config.postgresChanges.map(\.id)
        #expect(ids.allSatisfy { (1...0x7FF_FFFF).contains($0) })
        let response = try JSONValue.parse(config.joinResponse)
        #expect(
            response == [
                "postgres_changes": [
                    [
                        "event": "INSERT", "schema": "public", "table": "t", "filter": "id=eq.1", "id": .int(ids[0]),
                    ],
                    ["id": .int(ids[1])], ["event": "*", "id": .int(ids[2])],
                    [
                        "event": "INSERT", "schema": "public", "table": "t", "filter": "id=eq.1", "id": .int(ids[3]),
                    ],
                ]
            ])
        #expect(String(decoding: config.joinResponse, as: UTF8.self).contains(first.dropLast()))
        #expect(
            config.postgresChanges[0].summary
                == #"[event: INSERT, schema: public, table: t, filters: ["id=eq.1"], select: nil]"#)
        #expect(
            config.postgresChanges[1].summary == "[event: *, schema: public, table: *, filters: [], select: nil]")
    }

    @Test func boundsPostgresChanges() {
        let many = Array(repeating: #"{"table":"\#(String(repeating: "x", count: 500))"}"#, count: 5000)
        let config = self.config(#"{"postgres_changes":[\#(many.joined(separator: ","))]}"#)
        #expect(config.postgresChanges.count == JoinConfig.maxPostgresChanges)
        #expect(config.problems == ["config.postgres_changes"])
        #expect(config.postgresChanges[0].summary.utf8.count < 150)
    }

    @Test(
        arguments: [
            (#"{"type":"presence","event":"track","payload":{"a":1}}"#, .track(["a": 1])),
            (#"{"event":"TRACK","payload":{}}"#, .track([:])), (#"{"event":"track"}"#, .track([:])),
            (#"{"event":"Untrack"}"#, .untrack), (#"{"event":"untrack","payload":7}"#, .untrack),
            (#"{"event":"track","payload":7}"#, .notAMap), (#"{"event":"track","payload":null}"#, .notAMap),
            (#"{"event":"track","payload":[]}"#, .notAMap), (#"{"event":"update"}"#, .unknown), ("{}", .unknown),
            ("[]", .unknown), (#"{"event":1}"#, .unknown), ("", .unknown),
        ] as [(String, PresenceCommand)])
    func readsPresenceCommands(_ payload: String, _ expected: PresenceCommand) {
        #expect(PresenceCommand(payload: utf8(payload)) == expected)
    }
}
