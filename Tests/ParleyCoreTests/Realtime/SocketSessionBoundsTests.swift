import FoundationEssentials
import Testing

@testable import ParleyCore

/// What one socket may make the worker keep, and that it is always told.
struct SocketSessionBoundsTests {
    @Test func everyBroadcastOfAFloodIsAnswered() throws {
        var harness = SessionHarness()
        try harness.join()
        var answered = 0
        for n in 0..<1500 {
            let actions = try harness.send(
                "broadcast", #"{"type":"broadcast","event":"hi","payload":{"n":\#(n)}}"#, ref: "\(n)")
            if actions.contains(where: { if case .publish = $0 { true } else { false } }) { answered += 1 }
            if frames(actions).contains(where: { $0.contains("\"\(n)\",") && $0.contains("phx_reply") }) {
                answered += 1
            }
        }
        #expect(answered == 1500)
        // Joins, leaves and heartbeats too, and a second later all is as before.
        for event in ["phx_join", "phx_leave"] {
            #expect(frames(try harness.send(event)).first?.contains("Too many messages per second") == true)
        }
        #expect(frames(try harness.send("heartbeat", topic: "phoenix")).first?.contains("\"error\"") == true)
        #expect(try harness.send("access_token", #"{"access_token":"x"}"#).isEmpty)
        harness.context.steady += 5_000_000_000
        #expect(frames(try harness.send("heartbeat", topic: "phoenix")).first?.contains("\"ok\"") == true)
    }

    @Test func eventsWithoutAMeaningAreAnswered() throws {
        var harness = SessionHarness()
        try harness.join()
        for topic in [SessionHarness.topic, "phoenix"] {
            #expect(try reason(try harness.send("whatever", topic: topic)) == "This event has no meaning here")
            #expect(try harness.send("whatever", topic: topic, ref: nil).isEmpty)
        }
    }

    @Test func spellingsOfATopicAreOneChannel() throws {
        var harness = SessionHarness()
        let upper = "realtime:conversation:" + SessionHarness.room.uuidString.uppercased()
        let first = try harness.join()
        let (question, actions) = try harness.ask(topic: upper, ref: "2", joinRef: "2")
        // The older one is another channel for its client, so that one is told.
        #expect(actions.contains(.drop(first)) && frames(actions).first?.contains("phx_close") == true)
        #expect(harness.session.channels.count == 1)
        _ = harness.answer(try #require(question))
        let published = try harness.broadcast("hi")
        #expect(published.contains { if case .publish = $0 { true } else { false } })
        for n in 0..<100 {
            let mixed = String(
                SessionHarness.topic.enumerated().map { place, letter in
                    place > 22 && place % 7 == n % 7 ? Character(letter.uppercased()) : letter
                })
            _ = try harness.ask(topic: mixed, ref: "\(n + 10)", joinRef: "\(n + 10)")
        }
        #expect(harness.session.channels.count == 1)
    }

    @Test func whatWaitsForJoinsIsBoundedInBytes() throws {
        var harness = SessionHarness()
        let body = #"{"x":"\#(String(repeating: "x", count: 60_000))"}"#
        var refused = 0
        for room in 0..<4 {
            let topic = "realtime:conversation:00000000-0000-4000-8000-0000000001\(room)0"
            _ = try harness.ask(#"{"private":true,"broadcast":{"ack":true}}"#, topic: topic)
            for _ in 0..<4 {
                let sent = frames(try harness.broadcast("hi", body, topic: topic))
                refused += sent.count { $0.contains("Too many messages") }
            }
        }
        let kept = harness.session.channels.reduce(0) { $0 + $1.deferredBytes }
        #expect(kept <= harness.context.limits.maxDeferredBytes && kept > 200_000)
        #expect(refused == 12)
    }

    @Test func whatWaitedForAJoinThatEndsIsAnswered() throws {
        for end in ["phx_leave", "phx_join", "access_token"] {
            var harness = SessionHarness()
            _ = try harness.ask(#"{"private":true,"broadcast":{"ack":true}}"#)
            _ = try harness.send("broadcast", #"{"event":"hi","payload":{}}"#, ref: "5")
            let actions = try harness.send(
                end, #"{"config":{"private":true},"access_token":"expired"}"#, ref: "6")
            #expect(frames(actions).contains { $0.contains(#""5","#) && $0.contains("unmatched topic") }, "\(end)")
            // And the join itself, before what ended it.
            #expect(frames(actions).first?.hasPrefix(#"["1","1",""#) == true, "\(end)")
            #expect(frames(actions).first?.contains(#""status":"error""#) == true, "\(end)")
        }
    }

    @Test(arguments: [(AuthorizationAnswer.allowed, "ok"), (.denied, "error")])
    func aJoinThatIsOvertakenGetsTheAnswerOfTheNewer(_ answer: AuthorizationAnswer, _ status: String) throws {
        var harness = SessionHarness()
        _ = try harness.ask(ref: "1", joinRef: "1")
        let second = try harness.ask(ref: "2", joinRef: "2")
        #expect(frames(second.actions).isEmpty)
        let answered = frames(harness.answer(try #require(second.question), answer))
        #expect(answered.prefix(2).map { String($0.prefix(8)) } == [#"["1","1""#, #"["2","2""#])
        #expect(answered.prefix(2).allSatisfy { $0.contains(#""status":"\#(status)""#) })
    }

    @Test func onlySoManyJoinsWaitForOneAnswer() throws {
        var harness = SessionHarness()
        var refused = 0
        for number in 1...12 {
            refused += frames(try harness.ask(ref: "\(number)", joinRef: "\(number)").actions).count
        }
        #expect(refused > 0 && harness.session.channels[0].overtaken.count <= 9)
    }

    // MARK: Presence

    @Test func whoTracksLateGetsTheState() throws {
        var harness = SessionHarness()
        let id = try harness.join(#"{"private":true}"#)
        let actions = try harness.send("presence", #"{"event":"track","payload":{"a":1}}"#)
        #expect(actions.first == .presenceState(id))
        guard case .track(let track)? = actions.last else { throw Missing() }
        #expect(track.key == SessionHarness.alice.lowercaseText)
        #expect(track.shownFields == ["a": 1, "user_id": .string(SessionHarness.alice.lowercaseText)])
        #expect(try harness.send("presence", #"{"event":"track","payload":{"a":2}}"#).count == 1)
    }

    @Test(arguments: [
        SessionHarness.bob.uuidString, SessionHarness.bob.lowercaseText, "{\(SessionHarness.bob.uuidString)}",
        SessionHarness.bob.lowercaseText.replacing("-", with: ""), " \(SessionHarness.bob.lowercaseText)",
    ]) func nobodyIsPresentAsAnother(_ key: String) throws {
        var harness = SessionHarness()
        try harness.join(#"{"private":true,"presence":{"enabled":true,"key":"\#(key)"}}"#)
        #expect(try reason(try harness.send("presence", #"{"event":"track"}"#)).contains("another user's id"))
        var service = SessionHarness()
        try service.join(#"{"private":true,"presence":{"enabled":true,"key":"\#(key)"}}"#, token: "service")
        guard case .track(let track)? = try service.send("presence", #"{"event":"track"}"#).last else {
            throw Missing()
        }
        #expect(track.shownFields.isEmpty)
    }

    @Test func fieldsDoNotSayWhoItIs() throws {
        var harness = SessionHarness()
        try harness.join(#"{"private":true,"presence":{"enabled":true,"key":"phone"}}"#)
        let bob = SessionHarness.bob.lowercaseText
        let fields = #"{"user_id":"\#(bob)","userId":"\#(bob)","mood":"é"}"#
        guard case .track(let track)? = try harness.send("presence", #"{"event":"track","payload":\#(fields)}"#).last
        else { throw Missing() }
        let alice = JSONValue.string(SessionHarness.alice.lowercaseText)
        #expect(track.key == "phone" && track.shownFields == ["user_id": alice, "userId": alice, "mood": "é"])
    }

    @Test func aUserHasSoManyPresencesOfATopic() {
        var table = PresenceTable(limits: PresenceTable.Limits(maxOfUser: 2))
        func track(_ member: UInt64, _ user: UUID?) -> Bool {
            if case .changed = table.track(member: member, user: user, key: "\(member)", fields: [:], ref: "\(member)")
            {
                true
            } else {
                false
            }
        }
        #expect(track(1, SessionHarness.alice) && track(2, SessionHarness.alice))
        #expect(
            !track(3, SessionHarness.alice) && track(4, SessionHarness.bob) && track(5, nil) && track(6, nil)
                && track(7, nil))
        _ = table.remove(member: 1)
        #expect(track(3, SessionHarness.alice) && !track(8, SessionHarness.alice))
    }

    private struct Missing: Error {}
}
