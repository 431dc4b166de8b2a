import FoundationEssentials
import Testing

@testable import ParleyCore

private let someID = "d1d1d1d1-0000-4000-8000-000000000001"

@Suite struct SocketSessionMessageTests {
    private func command(_ actions: [SessionAction]) throws -> SocketCommand {
        #expect(actions.count == 1)
        guard case .command(let command) = try #require(actions.first) else {
            Issue.record("no command: \(actions)")
            throw CancellationError()
        }
        return command
    }

    // MARK: Broadcast

    @Test func forwardedWithoutReplyUnlessAsked() throws {
        var silent = SessionHarness()
        let id = try silent.join(#"{"private":true}"#)
        let actions = try silent.broadcast("hi", #"{"a": 1}"#)
        guard case .publish(let publication, _) = actions.first else {
            Issue.record("not forwarded: \(actions)")
            return
        }
        #expect(actions.count == 1)
        #expect(publication.sender == id)
        #expect(publication.broadcast.body == .json([UInt8](#"{"a": 1}"#.utf8)))

        var asking = SessionHarness()
        try asking.join(#"{"private":true,"broadcast":{"ack":true,"self":true}}"#)
        let answered = try asking.broadcast("hi")
        guard case .publish(let own, let reply) = answered.first else {
            Issue.record("not forwarded: \(answered)")
            return
        }
        #expect(own.sender == nil && own.user == SessionHarness.alice && answered.count == 1)
        #expect(
            frames(asking.session.published(reply, nil)) == [
                #"["1","9","\#(SessionHarness.topic)","phx_reply",{"status":"ok","response":{}}]"#
            ])
        #expect(try reason(asking.session.published(reply, .tooManyBytes)) == "Too many bytes of broadcasts per second")
        #expect(silent.session.published(nil, .tooManyBytes).isEmpty)
    }

    @Test func joinRefMayBeMissingOrStale() throws {
        var harness = SessionHarness()
        try harness.join()
        for joinRef in [nil, "77"] {
            let actions = try harness.send("broadcast", #"{"event":"hi","payload":{}}"#, joinRef: joinRef)
            guard case .publish(_, let reply) = actions.first else {
                Issue.record("not forwarded: \(actions)")
                return
            }
            #expect(reply?.joinRef == joinRef)
        }
    }

    @Test(
        arguments: [
            "message:new", "Message:New", "MESSAGE:SEND", "participant:left", "partİcİpant:left", "replay:gap",
            "user:online", "conversation:new", "account:updated", "Typing:Start", "RPC:leave",
        ])
    func namesOfTheServerCannotBeForged(event: String) throws {
        var harness = SessionHarness()
        try harness.join()
        #expect(try reason(try harness.broadcast(event)) == "This event name is reserved for the server")
        var silent = SessionHarness()
        try silent.join(#"{"private":true}"#)
        // Never dropped without a word: only a frame that cannot be answered is not.
        #expect(try reason(try silent.broadcast(event)) == "This event name is reserved for the server")
        let unanswerable = try silent.send("broadcast", #"{"event":"\#(event)","payload":{}}"#, ref: nil)
        #expect(unanswerable.isEmpty)
    }

    @Test(arguments: ["call:me", "call:ring", "message:", "typing:pause", "user:joined"])
    func otherNamesAreTheClients(event: String) throws {
        var harness = SessionHarness()
        try harness.join()
        guard case .publish(let publication, _) = try harness.broadcast(event).first else {
            Issue.record("not forwarded: \(event)")
            return
        }
        #expect(publication.broadcast.event == event)
    }

    @Test func nothingIsForwardedUntilTheNamesAreKnown() throws {
        var harness = SessionHarness()
        try harness.join()
        harness.context.reserved = nil
        let actions = try harness.broadcast("hi")
        #expect(try reason(actions) == "The names of events are not known yet, please try again")
        #expect(frames(actions)[0].contains(#""retriable":true"#))
        _ = try self.command(try harness.broadcast("message:send", #"{"content":"x"}"#))
    }

    @Test func nobodyBroadcastsIntoAnInbox() throws {
        var harness = SessionHarness()
        try harness.join(topic: SessionHarness.inbox)
        #expect(
            try reason(try harness.broadcast("hi", topic: SessionHarness.inbox))
                == "Clients may not broadcast on this topic")
        #expect(
            try reason(try harness.broadcast("message:send", #"{"content":"x"}"#, topic: SessionHarness.inbox))
                == "This event name is reserved for the server")
    }

    @Test func tooLarge() throws {
        var limits = SessionLimits()
        limits.maxBroadcastBytes = 20
        var harness = SessionHarness(limits: limits)
        try harness.join()
        #expect(try reason(try harness.broadcast("hi", #"{"a":"0123456789abcdef"}"#)) == "payload_size_exceeded")
        #expect(harness.session.channels.count == 1)
    }

    @Test func binaryBroadcastIsForwardedAsItIs() throws {
        var harness = SessionHarness()
        try harness.join(#"{"private":true}"#)
        let message = ClientMessage(
            joinRef: "1", ref: "2", topic: SessionHarness.topic, event: "broadcast",
            payload: .userBroadcast(event: "blob", metadata: [], body: .binary([0, 255])))
        let actions = harness.session.receive(message, context: harness.context, verify: harness.verify)
        guard case .publish(let publication, _) = actions.first else {
            Issue.record("not forwarded: \(actions)")
            return
        }
        #expect(publication.broadcast.body == .binary([0, 255]))
    }

    // MARK: Commands

    @Test func sendBecomesACommandOfTheHolder() throws {
        var harness = SessionHarness()
        try harness.join()
        let command = try self.command(
            try harness.broadcast(
                "message:send", #"{"content":"h\u00e9","type":null,"clientMessageId":"\#(someID)","local":1}"#))
        #expect(command.command.function == "send_message")
        #expect(command.command.arguments.names == ["client_message_id", "content", "conversation_id"])
        #expect(
            String(decoding: command.command.arguments.json, as: UTF8.self)
                == #"{"client_message_id":"\#(someID)","content":"h\u00e9","conversation_id":"#
                + #""\#(SessionHarness.room.lowercaseText)"}"#
        )
        #expect(command.token.subject == SessionHarness.alice)
        let reply = harness.session.commandFinished(
            command.reply, isError: false, response: [UInt8](#"{"message":{}}"#.utf8))
        #expect(
            frames(reply) == [
                #"["1","9","\#(SessionHarness.topic)","phx_reply",{"status":"ok","response":{"message":{}}}]"#
            ])
    }

    @Test(
        arguments: [
            ("message:send", "{}", "content is required"),
            ("message:send", "[]", "payload must be an object"),
            ("message:send", #"{"content":{"a":1}}"#, "content must be a string"),
            (
                "message:send", #"{"content":"x","conversation_id":"00000000-0000-4000-8000-0000000000c2"}"#,
                "conversation_id must be the conversation of the channel"
            ),
            ("message:read", "{}", "seq is required"),
            ("message:read", #"{"seq":"1"}"#, "seq must be a whole number"),
            ("message:read", #"{"seq":1.5}"#, "seq must be a whole number"),
            ("message:read", #"{"seq":-1}"#, "seq must be a whole number"),
            (
                "message:read", #"{"seq":1,"message_id":"\#(someID)"}"#, "seq must be absent when message_id is given"
            ),
            ("message:delivered", "{}", "seq is required"),
            ("user:typing", "{}", "is_typing must be true or false"),
        ])
    func badArguments(event: String, payload: String, expected: String) throws {
        var harness = SessionHarness()
        try harness.join()
        #expect(try reason(try harness.broadcast(event, payload)) == expected)
    }

    @Test(
        arguments: [
            ("message:read", #"{"seq":4}"#, "mark_as_read", ["conversation_id", "seq"]),
            ("message:read:update", #"{"seq":4}"#, "mark_as_read", ["conversation_id", "seq"]),
            ("message:read", #"{"messageId":"\#(someID)"}"#, "mark_message_as_read", ["message_id"]),
            ("message:delivered", #"{"seq":4}"#, "mark_as_delivered", ["conversation_id", "seq"]),
        ])
    func horizons(event: String, payload: String, function: String, names: [String]) throws {
        var harness = SessionHarness()
        try harness.join()
        let command = try self.command(try harness.broadcast(event, payload))
        #expect(command.command.function == function)
        #expect(command.command.arguments.names == Set(names))
    }

    @Test func commandsAreBounded() throws {
        var limits = SessionLimits()
        limits.maxPendingCommands = 2
        var harness = SessionHarness(limits: limits)
        try harness.join()
        let first = try self.command(try harness.broadcast("message:send", #"{"content":"1"}"#))
        _ = try self.command(try harness.broadcast("message:send", #"{"content":"2"}"#))
        #expect(
            try reason(try harness.broadcast("message:send", #"{"content":"3"}"#)) == "Too many messages per second")
        _ = harness.session.commandFinished(first.reply, isError: false, response: RealtimeCodec.emptyObject)
        _ = try self.command(try harness.broadcast("message:send", #"{"content":"4"}"#))
    }

    @Test func finishingAnswersWhatWasTakenAndTakesNoMore() throws {
        let close = SessionAction.close(code: 1012, reason: "service restart")
        var idle = SessionHarness()
        #expect(idle.session.finish() == [close])

        var harness = SessionHarness()
        try harness.join()
        let first = try self.command(try harness.broadcast("message:send", #"{"content":"1"}"#))
        let second = try self.command(try harness.broadcast("message:send", #"{"content":"2"}"#))
        #expect(harness.session.finish().isEmpty)
        let refused = try harness.broadcast("message:send", #"{"content":"3"}"#)
        #expect(refused.count == 1)
        #expect(try reason(refused) == "Realtime is restarting, please standby")
        #expect(
            harness.session.commandFinished(first.reply, isError: true, response: RealtimeCodec.emptyObject).count == 1)
        let last = harness.session.commandFinished(second.reply, isError: false, response: RealtimeCodec.emptyObject)
        #expect(frames(last).count == 1 && last.last == close)
    }

    @Test func finishingWaitsForCommandsThatNobodyAskedAbout() throws {
        var harness = SessionHarness()
        try harness.join(#"{"private":true}"#)
        let command = try self.command(try harness.broadcast("message:send", #"{"content":"1"}"#))
        #expect(harness.session.finish().isEmpty)
        #expect(try harness.broadcast("message:send", #"{"content":"2"}"#).isEmpty)
        #expect(
            harness.session.commandFinished(command.reply, isError: false, response: RealtimeCodec.emptyObject)
                == [.close(code: 1012, reason: "service restart")])
    }

    // MARK: Typing

    @Test(
        arguments: [
            ("typing:start", #"{"user_id":"00000000-0000-4000-8000-00000000000b"}"#, true),
            ("typing:stop", "{}", false),
            ("user:typing", #"{"is_typing":true}"#, true), ("user:typing", #"{"isTyping":false}"#, false),
        ])
    func typingIsTheSessionsOwn(event: String, payload: String, isTyping: Bool) throws {
        var harness = SessionHarness()
        let id = try harness.join(#"{"private":true}"#)
        #expect(
            try harness.broadcast(event, payload) == [
                .typing(
                    Typing(
                        channel: id, sender: id, conversation: SessionHarness.room, user: SessionHarness.alice,
                        isTyping: isTyping))
            ])
    }

    @Test func serviceRoleHasNobodyToType() throws {
        var harness = SessionHarness()
        try harness.join(token: "service")
        #expect(try reason(try harness.broadcast("typing:start")) == "This token has no user to act for")
    }

    @Test func joinConversationIsAccepted() throws {
        var harness = SessionHarness()
        try harness.join()
        #expect(frames(try harness.broadcast("join:conversation")).first?.contains(#""status":"ok""#) == true)
    }

    // MARK: Limits

    @Test func tooManyFramesCloseTheChannel() throws {
        var limits = SessionLimits()
        limits.eventsPerSecond = 1
        limits.eventBurst = 3
        var harness = SessionHarness(limits: limits)
        let id = try harness.join(#"{"private":true}"#)
        _ = try harness.broadcast("a")
        _ = try harness.broadcast("b")
        let actions = try harness.broadcast("c")
        let sent = frames(actions)
        #expect(sent.count == 2)
        #expect(sent[0].contains(#""message":"Too many messages per second""#) && sent[0].contains(#""system""#))
        #expect(sent[1].contains("phx_close"))
        #expect(actions.last == .drop(id))
        #expect(harness.session.channels.isEmpty)
    }

    // MARK: Presence

    @Test func trackIsAnsweredOnceTheTableTookIt() throws {
        var harness = SessionHarness()
        let id = try harness.join(#"{"private":true,"presence":{"enabled":true,"key":"me"}}"#)
        let actions = try harness.send("presence", #"{"event":"TRACK","payload":{"a":1}}"#)
        guard case .track(let track) = actions.first, actions.count == 1 else {
            Issue.record("not tracked: \(actions)")
            return
        }
        #expect(track.channel == id && track.key == "me")
        #expect(harness.session.channel(id)?.presenceEnabled == true)
        #expect(
            frames(harness.session.tracked(track, .done, context: harness.context)).first?.contains(#""ok""#) == true)
        let closed = frames(harness.session.tracked(track, .tooLarge, context: harness.context))
        #expect(closed.first?.contains("Track message size exceeded") == true)
        #expect(harness.session.channels.isEmpty)
    }

    @Test func anEmptyPresenceKeyIsTheUsersID() throws {
        var keys: [String] = []
        for token in ["alice", "service", "service"] {
            var harness = SessionHarness()
            let id = try harness.join(#"{"private":true,"presence":{"enabled":true,"key":""}}"#, token: token)
            keys.append(try #require(harness.session.channel(id)?.presenceKey))
        }
        #expect(keys[0] == SessionHarness.alice.lowercaseText)
        #expect(Set(keys).count == 3 && !keys.contains(""))
    }

    @Test func presenceFaultsKeepTheChannel() throws {
        var harness = SessionHarness()
        let id = try harness.join()
        #expect(
            try reason(try harness.send("presence", #"{"event":"track","payload":[1]}"#))
                == "Presence track payload must be a map")
        #expect(
            try reason(try harness.send("presence", #"{"event":"other"}"#)) == "This event has no meaning here")
        #expect(try harness.send("presence", #"{"event":"untrack"}"#).last == .untrack(id))
        #expect(harness.session.channels.count == 1)
    }

    @Test func sixthPresenceCallInHalfAMinuteCloses() throws {
        var harness = SessionHarness()
        try harness.join()
        for _ in 0..<5 { _ = try harness.send("presence", #"{"event":"untrack"}"#) }
        let sent = frames(try harness.send("presence", #"{"event":"untrack"}"#))
        // Its answer, then the word to the channel, then its end.
        #expect(sent.count == 3 && sent.allSatisfy { $0.contains("phx_close") || $0.contains("presence rate limit") })
        #expect(sent[0].contains("phx_reply") && sent[0].contains("PT429") && sent[1].contains(#""system""#))
        #expect(harness.session.channels.isEmpty)
        try harness.join()
        for _ in 0..<5 { _ = try harness.send("presence", #"{"event":"untrack"}"#) }
        harness.context.now += 30_000
        #expect(frames(try harness.send("presence", #"{"event":"untrack"}"#)).first?.contains(#""ok""#) == true)
    }
}
