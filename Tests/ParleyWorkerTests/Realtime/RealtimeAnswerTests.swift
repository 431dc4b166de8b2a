import FoundationEssentials
import ParleyCore
import PostgresClient
import Testing
import WebServer

@testable import ParleyWorker

/// At real sockets: every frame is answered, and what clients say of themselves ends with them.
@Suite(.serialized) struct RealtimeAnswerTests {
    private let topic = ServiceHarness.topic

    @Test func framesThatCannotBeReadAreAnswered() async throws {
        try await ServiceHarness.run { harness in
            let old = try harness.member(ServiceHarness.bob, .v1)
            let new = try harness.member()
            let deep = String(repeating: "[", count: 70) + String(repeating: "]", count: 70)
            for (payload, why) in [
                (#"{"event":"message:send","payload":{"content":"Preview \ud83d"}}"#, "lone surrogate"),
                (deep, "nested too deep"), (#"{"a":1e131071}"#, "too large an exponent"),
            ] {
                try new.send(#"["1","5","\#(self.topic)","broadcast",\#(payload)]"#)
                let second = try new.nextText()
                #expect(second.hasPrefix(#"["1","5","\#(self.topic)","phx_reply",{"status":"error""#), "\(second)")
                #expect(second.contains(why))
                try old.send(
                    #"{"topic":"\#(self.topic)","event":"broadcast","ref":"5","join_ref":"1","payload":\#(payload)}"#)
                let first = try old.nextText()
                #expect(first.contains(#""ref":"5""#) && first.contains(why))
            }
            try old.send(#"{"topic":"phoenix","event":"heartbeat","ref":"6"}"#)
            #expect(try old.nextText().contains("missing member"))
            try new.send(#"[1,7,"\#(self.topic)","phx_leave",{}]"#)
            #expect(try new.nextText().hasPrefix("[1,7,"))
            try new.send(#"["1","8""#)
            try new.broadcast("hi", ref: "9")
            #expect(try new.nextText().contains(#""9""#))
            #expect(await harness.service.currentMetrics().framesRefused == 9)
        }
    }

    @Test func everyBroadcastOfAFloodIsAnswered() async throws {
        try await ServiceHarness.run { harness in
            let client = try harness.member()
            var answers = 0
            for n in 0..<1500 {
                try client.broadcast("hi", "{}", ref: "b\(n)")
                guard n % 50 == 49 else { continue }
                // the end of the channel comes between
                while answers <= n {
                    let text = try client.nextText()
                    if text.contains("phx_reply") { answers += 1 }
                }
            }
            #expect(answers == 1500)
        }
    }

    @Test func bytesOfBroadcastsAreBoundedAtSocketsAndOverHTTP() async throws {
        var configuration = RealtimeConfiguration()
        // So little a second that a slow run is given nothing back.
        configuration.broadcasts.userBytesPerSecond = 1_000
        configuration.broadcasts.leastBurst = 200_000
        try await ServiceHarness.run(configuration) { harness in
            let sender = try harness.member(config: #"{"private":true,"broadcast":{"ack":true}}"#)
            let listener = try harness.member(ServiceHarness.bob, config: #"{"private":true}"#)
            let payload = #"{"x":"\#(String(repeating: "x", count: 40_000))"}"#
            for n in 0..<20 { try sender.broadcast("flood", payload, ref: "\(n)") }
            var refused = 0
            for _ in 0..<20 where try sender.nextText().contains("Too many bytes of broadcasts per second") {
                refused += 1
            }
            #expect((15...16).contains(refused), "\(refused)")
            let room = "conversation%3A\(ServiceHarness.room.lowercaseText)"
            let answer = try SocketClient(port: harness.server.port).http(
                "POST", "/realtime/v1/api/broadcast/\(room)/events/hi",
                headers: ["Content-Type: application/json", "Authorization: Bearer \(harness.token())"],
                body: [UInt8](payload.utf8))
            #expect(answer.status == 429 && answer.body.contains(#""code":"PT429""#))
            #expect(try listener.rest().count == 20 - refused)
            // Another user has a share of its own.
            try listener.broadcast("hi")
            #expect(try sender.nextText().contains(#""hi""#))
        }
    }

    @Test func typingEndsWithItsAuthor() async throws {
        try await ServiceHarness.run { harness in
            let bob = try harness.member(ServiceHarness.bob, .v1, config: #"{"private":true}"#)
            func stops() throws {
                #expect(try bob.nextText().contains("typing:start"))
                let stop = try bob.nextText()
                #expect(stop.contains("typing:stop") && stop.contains(ServiceHarness.alice.lowercaseText))
            }
            do {
                let closing = try harness.member()
                try closing.broadcast("typing:start")
                #expect(try closing.nextText().contains("ok"))
            }
            try stops()
            try await Task.sleep(for: .milliseconds(1100))
            let leaving = try harness.member()
            try leaving.broadcast("typing:start")
            try leaving.push("phx_leave")
            try stops()
            try await Task.sleep(for: .milliseconds(1100))
            let removed = try harness.member()
            try removed.broadcast("typing:start")
            #expect(try removed.nextText().contains("ok"))
            try await harness.deliver([ServiceHarness.event(7, "participant:left", user: ServiceHarness.alice)])
            let seen = try bob.rest(milliseconds: 500).map { "\($0)" }
            #expect(
                seen.contains { $0.contains("typing:start") } && seen.last?.contains("typing:stop") == true, "\(seen)")
        }
    }

    @Test func typingEndsByItself() async throws {
        try await ServiceHarness.run { harness in
            let alice = try harness.member(config: #"{"private":true}"#)
            let bob = try harness.member(ServiceHarness.bob, config: #"{"private":true}"#)
            let start = ContinuousClock.now
            try alice.broadcast("typing:start")
            func next() throws -> String { String(decoding: try Self.bytes(bob.next()), as: UTF8.self) }
            #expect(try next().contains("typing:start"))
            // the heartbeat keeps the client's patience, and the socket
            try await Task.sleep(for: .seconds(3))
            #expect(try next().contains("typing:stop"))
            #expect((.seconds(5)...(.seconds(8))).contains(ContinuousClock.now - start))
        }
    }

    private static func bytes(_ frame: SocketClient.Frame) -> [UInt8] {
        switch frame {
        case .text(let text): [UInt8](text.utf8)
        case .binary(let bytes): bytes
        case .close: []
        }
    }

    @Test func whoTracksLateSeesWhoIsThere() async throws {
        try await ServiceHarness.run { harness in
            let bob = try harness.member(
                ServiceHarness.bob, config: #"{"private":true,"presence":{"enabled":true,"key":"b"}}"#)
            #expect(try bob.nextText().contains("presence_state"))
            try bob.push("presence", #"{"event":"track","payload":{"at":1}}"#)
            #expect(try bob.nextText().contains("ok"))
            #expect(try bob.nextText().contains("presence_diff"))
            let alice = try harness.member(config: #"{"private":true}"#)
            #expect(try alice.rest().isEmpty)
            let forged = #"{"event":"track","payload":{"user_id":"\#(ServiceHarness.bob.lowercaseText)"}}"#
            try alice.push("presence", forged)
            let state = try alice.nextText()
            #expect(state.contains("presence_state") && state.contains(#""b":{"metas""#))
            #expect(state.contains(#""user_id":"\#(ServiceHarness.bob.lowercaseText)""#))
            #expect(try alice.nextText().contains(#""status":"ok""#))
            let diff = try alice.nextText()
            #expect(
                diff.contains("presence_diff") && diff.contains(#""\#(ServiceHarness.alice.lowercaseText)":{"metas""#))
            #expect(
                diff.contains(#""user_id":"\#(ServiceHarness.alice.lowercaseText)""#)
                    && !diff.contains(ServiceHarness.bob.lowercaseText))
        }
    }

    @Test func aUserHasSoManyChannels() async throws {
        var configuration = RealtimeConfiguration()
        configuration.maxChannelsPerUser = 2
        try await ServiceHarness.run(configuration) { harness in
            let clients = try (0..<2).map { _ in try harness.member() }
            let late = try harness.client()
            try late.join()
            #expect(try late.nextText().contains("ChannelRateLimitReached: Too many channels"))
            #expect(try harness.member(ServiceHarness.bob).rest().isEmpty)
            try clients[0].push("phx_leave")
            #expect(try clients[0].nextText().contains("ok"))
            try late.join(ref: "2")
            #expect(try late.nextText().contains(#""status":"ok""#))
        }
    }

    @Test func spellingsOfATopicGetEachEventOnce() async throws {
        try await ServiceHarness.run { harness in
            let client = try harness.client()
            for n in 0..<20 {
                let mixed = String(
                    self.topic.enumerated().map { place, letter in
                        place > 22 && place % 7 == n % 7 ? Character(letter.uppercased()) : letter
                    })
                try client.join(topic: mixed, ref: "\(n + 1)")
            }
            _ = try client.rest()
            #expect(await harness.service.currentMetrics().channels == 1)
            try await harness.deliver([ServiceHarness.event(5)])
            #expect(try client.rest().count == 1)
        }
    }

    @Test func aSocketWhoseTokenExpiredIsClosed() async throws {
        var configuration = RealtimeConfiguration()
        configuration.limits.secondsWithoutChannel = 2
        try await ServiceHarness.run(configuration) { harness in
            let client = try harness.client()
            try client.push(
                "phx_join", #"{"config":{"private":true},"access_token":"\#(harness.token(expiresIn: 2))"}"#, ref: "1")
            #expect(try client.nextText().contains(#""status":"ok""#))
            #expect(try client.nextText().contains("Token has expired "))
            #expect(try client.nextText().contains("phx_close"))
            try client.send(#"[null,"7","phoenix","heartbeat",{}]"#)
            #expect(try client.nextText().contains("phx_reply"))
            #expect(try client.next() == .close(1000))
        }
    }
}
