import FoundationEssentials
import Testing

@testable import ParleyCore

@Suite struct SocketSessionJoinTests {
    @Test func heartbeatEchoesItsRef() throws {
        var v1 = SessionHarness(.v1)
        #expect(
            frames(try v1.send("heartbeat", topic: "phoenix", joinRef: nil)) == [
                #"{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":"9"}"#
            ])
        #expect(
            frames(try v1.send("heartbeat", topic: "phoenix", ref: nil, joinRef: nil)) == [
                #"{"topic":"phoenix","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":null}"#
            ])
        var v2 = SessionHarness(.v2)
        #expect(
            frames(try v2.send("heartbeat", topic: "phoenix", joinRef: nil)) == [
                #"[null,"9","phoenix","phx_reply",{"status":"ok","response":{}}]"#
            ])
    }

    @Test func replyHasPostgresChangesAndBothRefs() throws {
        var harness = SessionHarness()
        let question = try #require(try harness.ask(ref: "12", joinRef: "11").question)
        #expect(question.topic == .conversation(SessionHarness.room))
        let actions = harness.answer(question)
        #expect(
            frames(actions) == [
                #"["11","12","\#(SessionHarness.topic)","phx_reply",{"status":"ok","response":{"postgres_changes":[]}}]"#
            ])
        #expect(actions.last == .goLive(question.channel))
        #expect(harness.session.channel(question.channel)?.isJoined == true)
    }

    @Test(
        arguments: [
            (#"{"private":true}"#, "alice", "realtime:", "TopicNameRequired: You must provide a topic name"),
            ("{}", "alice", SessionHarness.topic, "PrivateOnly: This project only allows private channels"),
            (
                #"{"private":false}"#, "alice", SessionHarness.topic,
                "PrivateOnly: This project only allows private channels"
            ),
            (
                #"{"private":true}"#, "expired", SessionHarness.topic,
                "InvalidJWTToken: Token has expired 5 seconds ago"
            ),
            (
                #"{"private":true}"#, "garbage", SessionHarness.topic,
                "MalformedJWT: The token provided is not a valid JWT"
            ),
            (#"{"private":true}"#, "", SessionHarness.topic, "MalformedJWT: The token provided is not a valid JWT"),
            (
                #"{"private":true,"broadcast":{"replay":{}}}"#, "alice", SessionHarness.topic,
                "UnableToReplayMessages: Replay params are not valid"
            ),
            (
                #"{"private":true,"broadcast":{"replay":{"after":3}}}"#, "alice", SessionHarness.inbox,
                "UnableToReplayMessages: Replay params are not valid"
            ),
            (
                #"{"private":true}"#, "bob", SessionHarness.inbox,
                "Unauthorized: You do not have permissions to read from this Channel topic: "
                    + "user:00000000-0000-4000-8000-00000000000a"
            ),
            (
                #"{"private":true}"#, "alice", "realtime:room:1",
                "Unauthorized: You do not have permissions to read from this Channel topic: room:1"
            ),
            (#"{"private":true}"#, "alice", "elsewhere:1", "unmatched topic"),
        ])
    func refusedWithoutTheDatabase(config: String, token: String, topic: String, expected: String) throws {
        var harness = SessionHarness()
        let (question, actions) = try harness.ask(config, token: token, topic: topic)
        #expect(question == nil)
        #expect(try reason(actions) == expected)
        #expect(harness.session.channels.isEmpty)
    }

    @Test(arguments: [SerializerVersion.v1, .v2])
    func changesOfTablesAreEchoedAndNotServed(version: SerializerVersion) throws {
        var harness = SessionHarness(version)
        let wanted = #"{"event":"*","schema":"public","table":"t","filter":"id=eq.1"}"#
        let question = try #require(
            try harness.ask(#"{"private":true,"postgres_changes":[\#(wanted)]}"#).question)
        let actions = harness.answer(question)
        let sent = frames(actions)
        #expect(sent[0].contains(#""table":"t","filter":"id=eq.1","id":"#))
        #expect(actions[1] == .goLive(question.channel))
        #expect(harness.session.channel(question.channel)?.isJoined == true)
        // The Python client, of version 1.0.0, would join again for ever.
        guard version == .v2 else {
            #expect(sent.count == 1)
            return
        }
        let system = try JSONValue.parse([UInt8](sent[1].utf8)).array
        #expect(system?[3].string == "system")
        #expect(system?[4]["extension"]?.string == "postgres_changes")
        #expect(system?[4]["status"]?.string == "error")
        #expect(
            system?[4]["message"]?.string?.hasSuffix(
                #"[event: *, schema: public, table: t, filters: ["id=eq.1"], select: nil]"#) == true)
    }

    @Test func opaqueAndAbsentTokensMeanTheKeyOfTheSocket() throws {
        for token in ["sb_publishable_x", nil] {
            var harness = SessionHarness()
            let question = try #require(try harness.ask(token: token).question)
            #expect(question.token === harness.session.apiToken)
        }
    }

    @Test func answersOfTheDatabase() throws {
        let cases: [(AuthorizationAnswer, String)] = [
            (
                .denied,
                "Unauthorized: You do not have permissions to read from this Channel topic: "
                    + SessionHarness.topic.dropFirst("realtime:".count)
            ),
            (
                .failed(.unavailable),
                "UnableToConnectToProject: Realtime was unable to connect to the project database"
            ),
            (.failed(.poolExhausted), "IncreaseConnectionPool: Please increase your connection pool size"),
        ]
        for (answer, expected) in cases {
            var harness = SessionHarness()
            let question = try #require(try harness.ask().question)
            let actions = harness.answer(question, answer)
            #expect(try reason(actions) == expected)
            #expect(harness.session.channels.isEmpty)
            // A second answer for the same channel finds nothing.
            #expect(harness.answer(question).isEmpty)
        }
    }

    @Test func refusedWhileUnreachableOrDraining() throws {
        var harness = SessionHarness()
        harness.context.database = .unreachable
        #expect(
            try reason(try harness.ask().actions)
                == "UnableToConnectToProject: Realtime was unable to connect to the project database")
        harness.context.draining = true
        #expect(
            try reason(try harness.ask().actions) == "RealtimeRestarting: Realtime is restarting, please standby")
    }

    @Test(arguments: [SerializerVersion.v1, .v2]) func rejoinReplacesWithoutAWord(version: SerializerVersion) throws {
        var harness = SessionHarness(version)
        let first = try harness.join()
        let (question, actions) = try harness.ask(ref: "5", joinRef: "5")
        #expect(actions.first == .drop(first))
        #expect(frames(actions).isEmpty)
        let second = try #require(question)
        #expect(second.channel != first)
        let accepted = harness.answer(second)
        #expect(frames(accepted).count == 1)
        #expect(!frames(accepted).contains { $0.contains("phx_close") })
        #expect(harness.session.channels.count == 1)
    }

    @Test func answerForAReplacedJoinIsIgnored() throws {
        var harness = SessionHarness()
        let first = try #require(try harness.ask(ref: "1", joinRef: "1").question)
        let second = try #require(try harness.ask(ref: "2", joinRef: "2").question)
        #expect(harness.answer(first).isEmpty)
        #expect(harness.answer(second).contains(.goLive(second.channel)))
    }

    @Test func channelsAreLimited() throws {
        var limits = SessionLimits()
        limits.maxChannels = 3
        var harness = SessionHarness(limits: limits)
        let topics = (0..<3).map { _ in "realtime:conversation:\(UUID().lowercaseText)" }
        for topic in topics { try harness.join(topic: topic) }
        #expect(try reason(try harness.ask().actions) == "ChannelRateLimitReached: Too many channels")
        // Joining one of them again is no further channel.
        #expect(try harness.ask(topic: topics[1]).question != nil)
    }

    @Test func joinsPerSecondAreLimited() throws {
        var limits = SessionLimits()
        limits.joinsPerSecond = 1
        limits.joinBurst = 2
        var harness = SessionHarness(limits: limits)
        try harness.join()
        try harness.join()
        #expect(try reason(try harness.ask().actions) == "ClientJoinRateLimitReached: Too many joins per second")
        #expect(harness.session.channels.count == 1)
        // The time of day says nothing about rates.
        harness.context.now += 1_000_000
        #expect(try harness.ask().question == nil)
        harness.context.steady += 1_001_000_000
        #expect(try harness.ask().question != nil)
    }

    @Test func unmatchedTopics() throws {
        var harness = SessionHarness()
        #expect(try reason(try harness.broadcast("hi")) == "unmatched topic")
        #expect(frames(try harness.send("phx_leave")).first?.contains(#""status":"ok""#) == true)
    }

    @Test(arguments: ["1", nil]) func leaveIsAnsweredThenClosed(joinRef: String?) throws {
        var harness = SessionHarness()
        let id = try harness.join()
        let actions = try harness.send("phx_leave", ref: "4", joinRef: joinRef)
        let sent = frames(actions)
        #expect(sent.count == 2)
        #expect(sent[0].contains(#""phx_reply",{"status":"ok","response":{}}"#))
        #expect(sent[1] == #"["1","1","\#(SessionHarness.topic)","phx_close",{}]"#)
        #expect(actions.last == .drop(id))
        #expect(try reason(try harness.broadcast("hi")) == "unmatched topic")
    }

    @Test func lateLeaveOfAnOlderJoinEndsNothing() throws {
        var harness = SessionHarness()
        try harness.join(ref: "1", joinRef: "1")
        try harness.join(ref: "2", joinRef: "2")
        #expect(frames(try harness.send("phx_leave", joinRef: "1")).count == 1)
        #expect(harness.session.channels.count == 1)
    }

    @Test func messagesWaitForTheJoin() throws {
        var limits = SessionLimits()
        limits.maxDeferred = 2
        var harness = SessionHarness(limits: limits)
        let question = try #require(try harness.ask(#"{"private":true,"broadcast":{"ack":true}}"#).question)
        #expect(try harness.broadcast("one").isEmpty)
        #expect(try harness.broadcast("two").isEmpty)
        #expect(try reason(try harness.broadcast("three")) == "Too many messages per second")
        let actions = harness.answer(question)
        let published = actions.compactMap { action -> String? in
            if case .publish(let publication, _) = action { publication.broadcast.event } else { nil }
        }
        #expect(published == ["one", "two"])
        let live = try #require(actions.firstIndex(of: .goLive(question.channel)))
        #expect(live == 1)
    }

    @Test func socketsWithoutChannelsAreAbandoned() throws {
        var harness = SessionHarness()
        harness.context.now += 59_000
        #expect(!harness.session.isAbandoned(context: harness.context))
        harness.context.now += 1000
        #expect(harness.session.isAbandoned(context: harness.context))
        try harness.join()
        #expect(!harness.session.isAbandoned(context: harness.context))
        _ = try harness.send("phx_leave")
        #expect(!harness.session.isAbandoned(context: harness.context))
        harness.context.now += 60_000
        #expect(harness.session.isAbandoned(context: harness.context))
    }
}
