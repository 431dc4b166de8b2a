import FoundationEssentials
import ParleyCore
import PostgresClient
import PostgresTestKit
import Testing
import WebServer

@testable import ParleyWorker

/// The service behind real sockets and in front of a real Postgres. What the tail would say, the tests say.
@Suite(.serialized) struct RealtimeServiceTests {
    private let ok = #"{"status":"ok","response":{}}"#

    @Test func handshakes() async throws {
        try await ServiceHarness.run { harness in
            let good = harness.token()
            let cases: [(String, [String], Int, String)] = [
                ("/realtime/v1/websocket", [], 401, #"{"error":"API key is missing"}"#),
                (
                    "/realtime/v1/websocket?apikey=not-a-jwt", [], 401,
                    #"{"error":"The token provided is not a valid JWT"}"#
                ),
                (
                    "/realtime/v1/websocket?apikey=\(harness.token(expiresIn: -5))", [], 401,
                    #"{"error":"Token has expired"}"#
                ),
                (
                    "/realtime/v1/websocket?apikey=\(harness.token(role: nil))", [], 401,
                    #"{"error":"Fields `role` and `exp` are required in JWT"}"#
                ),
                (
                    "/realtime/v1/websocket?apikey=\(good.dropLast(4))AAAA", [], 401,
                    #"{"error":"Failed to validate JWT signature"}"#
                ),
                ("/realtime/v1/websocket?apikey=\(good)&vsn=3.0.0", [], 403, ""),
                ("/elsewhere?apikey=\(good)", [], 404, #"{"error":"Not found"}"#),
                ("/realtime/v1/websocket?apikey=bad", ["x-api-key: \(good)"], 101, ""),
                ("/realtime/v1/websocket?apikey=\(good)", [], 101, ""),
                ("/realtime/v1/websocket?vsn=2.0.0", ["apikey: \(good)"], 101, ""),
            ]
            for (path, headers, status, body) in cases {
                let response = try SocketClient(port: harness.server.port).http(
                    "GET", path,
                    headers: [
                        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                    ] + headers)
                #expect(response.status == status, "\(path)")
                #expect(response.body == body, "\(path)")
            }
        }
    }

    @Test func malformedFramesKeepTheConnection() async throws {
        try await ServiceHarness.run { harness in
            let client = try harness.client()
            for text in ["", "{", "[]", #"{"a":1}"#, "[1,2,3,4,5]"] { try client.send(text) }
            for bytes: [UInt8] in [[], [9], [3, 255], [4, 0, 0, 0, 0]] { try client.send(opcode: 2, bytes) }
            try client.send(#"[null,"7","phoenix","heartbeat",{}]"#)
            #expect(try client.nextText() == #"[null,"7","phoenix","phx_reply",\#(self.ok)]"#)
        }
    }

    @Test func joinThenLiveInBothVersions() async throws {
        try await ServiceHarness.run { harness in
            let v1 = try harness.client(ServiceHarness.alice, .v1)
            try v1.join(.v1, config: #"{"private":true,"presence":{"enabled":true}}"#)
            #expect(try v1.nextText().contains(#""response":{"postgres_changes":[]}"#))
            #expect(try v1.nextText().contains(#""event":"presence_state","payload":{},"ref":null"#))
            let v2 = try harness.member(ServiceHarness.bob)
            let stranger = try harness.client(UUID())
            try stranger.join()
            #expect(try stranger.nextText().contains("Unauthorized: You do not have permissions to read"))

            try await harness.deliver([ServiceHarness.event(5)])
            let payload = #"{"type":"broadcast","event":"message:new","payload":{"n":5},"meta":{"id":"5"}}"#
            #expect(
                try v1.nextText()
                    == #"{"topic":"\#(ServiceHarness.topic)","event":"broadcast","payload":\#(payload),"ref":null}"#)
            #expect(try v2.nextText() == #"[null,null,"\#(ServiceHarness.topic)","broadcast",\#(payload)]"#)
            #expect(try stranger.rest().isEmpty)

            try v2.push("phx_leave", ref: "8")
            #expect(try v2.nextText() == #"["1","8","\#(ServiceHarness.topic)","phx_reply",\#(self.ok)]"#)
            #expect(try v2.nextText() == #"["1","1","\#(ServiceHarness.topic)","phx_close",{}]"#)
            try await harness.deliver([ServiceHarness.event(6)])
            #expect(try v2.rest().isEmpty)
            let metrics = await harness.service.currentMetrics()
            #expect(metrics.deliveries == 3 && metrics.channels == 1 && metrics.joinsRefused == 1)
        }
    }

    @Test func anIDInCapitalsIsAnsweredInKind() async throws {
        try await ServiceHarness.run { harness in
            let topic = "realtime:conversation:\(ServiceHarness.room.uuidString)"
            let client = try harness.client()
            try client.join(topic: topic)
            #expect(try client.nextText().contains(#""status":"ok""#))
            try await harness.deliver([ServiceHarness.event(5)])
            #expect(try client.nextText().contains(#"null,null,"\#(topic)","broadcast""#))
        }
    }

    @Test func oneMembershipAfterJoiningAgain() async throws {
        try await ServiceHarness.run { harness in
            let client = try harness.member(ServiceHarness.alice, .v1)
            try client.join(.v1, ref: "5")
            #expect(try client.nextText().contains(#""status":"ok""#))
            try await harness.deliver([ServiceHarness.event(5)])
            #expect(try client.rest().count == 1)
        }
    }

    @Test func replayThenLiveWithoutOverlap() async throws {
        try await ServiceHarness.run { harness in
            for n in 1...3 {
                let insert = Statement(
                    "insert into parley.event (id, conversation_id, event_seq, payload) values ($1, $2::uuid, $1, $3)",
                    [String(n), ServiceHarness.room.lowercaseText, #"{"n":\#(n)}"#])
                _ = try await harness.database.run(Transaction([insert]))
            }
            let client = try harness.client()
            try client.join(config: #"{"private":true,"broadcast":{"replay":{"after":1}}}"#)
            // What the answer contains comes from the tail once more, late; it must not be sent twice.
            var late = ServiceHarness.event(3)
            late.transactionID = 10
            let reply = try client.nextText()
            #expect(reply.contains(#""status":"ok""#), "\(reply)")
            guard case .binary(let gap) = try client.next() else { throw ClientError(description: "no gap") }
            #expect(String(decoding: gap, as: UTF8.self).hasSuffix(#"replay:gap{"from":1,"to":2,"reason":"purged"}"#))
            await harness.service.apply(
                [late, ServiceHarness.event(4)],
                cursor: LogCursor(snapshot: PgSnapshot(xmin: 1, xmax: 1, xip: []), maxID: 4))
            let texts = try (0..<3).map { _ in try client.nextText() }
            #expect(texts[0].contains(#""payload":{"n":2},"meta":{"id":"2","replayed":true}"#))
            #expect(texts[1].contains(#""payload":{"n":3},"meta":{"id":"3","replayed":true}"#))
            #expect(texts[2].contains(#""payload":{"n":4},"meta":{"id":"4"}"#))
            #expect(try client.rest().isEmpty)
        }
    }

    @Test func removalClosesAtItsPosition() async throws {
        try await ServiceHarness.run { harness in
            let alice = try harness.member()
            let bob = try harness.member(ServiceHarness.bob)
            try await harness.deliver([
                ServiceHarness.event(5), ServiceHarness.event(6, "participant:left", user: ServiceHarness.alice),
                ServiceHarness.event(7),
            ])
            let seen = try alice.rest()
            #expect(seen.count == 4)
            guard case .text(let system) = seen[2], case .text(let close) = seen[3] else {
                throw ClientError(description: "\(seen)")
            }
            #expect(system.contains("You no longer have permission to read from this Channel topic"))
            #expect(close.contains("phx_close"))
            #expect(try bob.rest().count == 3)
            try alice.send(#"[null,"7","phoenix","heartbeat",{}]"#)
            #expect(try alice.nextText().contains(self.ok))
        }
    }

    @Test func messagesSentRapidlyKeepTheirOrder() async throws {
        try await ServiceHarness.run { harness in
            let client = try harness.member()
            for n in 1...100 { try client.broadcast("message:send", #"{"content":"\#(n)"}"#, ref: "\(100 + n)") }
            for n in 1...100 {
                #expect(
                    try client.nextText()
                        == #"["1","\#(100 + n)","\#(ServiceHarness.topic)","phx_reply","#
                        + #"{"status":"ok","response":{"message":{"content": "\#(n)"}}}]"#)
            }
            let sets = try await harness.database.run(
                Transaction(
                    [
                        Statement(
                            "select string_agg(content, ',' order by n), min(role), min(claims::json ->> 'sub') "
                                + "from parley.sent")
                    ], mode: .readOnly))
            let row = try #require(sets.first?.rows.first)
            #expect(row.string(0) == (1...100).map(String.init).joined(separator: ","))
            #expect(row.string(1) == "authenticated")
            #expect(row.string(2) == ServiceHarness.alice.lowercaseText)
        }
    }

    @Test func failedCommandsSayWhy() async throws {
        try await ServiceHarness.run { harness in
            let client = try harness.member()
            try client.broadcast("message:send", #"{"content":"conflict"}"#)
            let conflict = try client.nextText()
            #expect(conflict.contains(#""status":"error""#))
            #expect(
                conflict.contains(
                    #"{"reason":"The id is in use","retriable":false,"code":"PT409","message":"The id is in use","#
                        + #""details":"detail","hint":"hint"}"#))
            try client.broadcast("message:send", #"{"content":"x","client_message_id":"no uuid"}"#)
            #expect(try client.nextText().contains(#""code":"22P02""#))
            try client.broadcast("message:read", #"{"seq":3}"#)
            #expect(try client.nextText().contains(self.ok))
        }
    }

    @Test func anyFunctionRunsByItsName() async throws {
        try await ServiceHarness.run { harness in
            let client = try harness.member()
            try client.broadcast("rpc:send_message", #"{"content":"by name"}"#)
            #expect(try client.nextText().contains(#""response":{"content": "by name"}"#))
            try client.broadcast("rpc:sned_message", #"{"content":"x"}"#)
            #expect(try client.nextText().contains(#""code":"PGRST202""#))
            // One that is made while the worker runs.
            let script = """
                create function parley_api.whoami() returns text language sql stable
                as $$ select current_user || ' ' || current_setting('transaction_read_only') $$
                """
            _ = try await harness.database.run(Transaction([Statement(script)]))
            try client.broadcast("rpc:whoami")
            #expect(try client.nextText().contains(#""response":{"result":"authenticated on"}"#))
        }
    }

    @Test func namesOfTheCatalogueAreTheServers() async throws {
        try await ServiceHarness.run { harness in
            let client = try harness.member()
            try client.broadcast("Message:New")
            #expect(try client.nextText().contains("This event name is reserved for the server"))
            try client.broadcast("message:old")
            #expect(try client.nextText().contains(self.ok))
        }
    }

    @Test func broadcastsReachTheOthersInTheirVersion() async throws {
        try await ServiceHarness.run { harness in
            let sender = try harness.member()
            let v1 = try harness.member(ServiceHarness.bob, .v1)
            let v2 = try harness.member(ServiceHarness.bob)
            try sender.broadcast("hi", #"{"a": 1}"#)
            #expect(try sender.nextText().contains(self.ok))
            #expect(try v1.nextText().contains(#""payload":{"type":"broadcast","event":"hi","payload":{"a": 1}}"#))
            #expect(try v2.nextText().contains(#"{"type":"broadcast","event":"hi","payload":{"a": 1}}"#))

            let event = [UInt8]("é:blob".utf8)
            let topic = [UInt8](ServiceHarness.topic.utf8)
            try sender.send(
                opcode: 2,
                [3, 1, 1, UInt8(topic.count), UInt8(event.count), 0, 0] + [49, 51] + topic + event + [0, 255, 7])
            #expect(try sender.nextText().contains(self.ok))
            #expect(
                try v2.next()
                    == .binary([4, UInt8(topic.count), UInt8(event.count), 0, 0] + topic + event + [0, 255, 7]))
            #expect(try v1.rest().isEmpty)
            #expect(try sender.rest().isEmpty)
        }
    }

    @Test func typingIsThrottledAndStops() async throws {
        try await ServiceHarness.run { harness in
            let alice = try harness.member(config: #"{"private":true}"#)
            let bob = try harness.member(ServiceHarness.bob, .v1, config: #"{"private":true}"#)
            for event in ["typing:start", "typing:start", "typing:stop", "typing:stop", "typing:start"] {
                try alice.broadcast(event)
            }
            let seen = try bob.rest().map { frame in if case .text(let text) = frame { text } else { "" } }
            #expect(seen.count == 2)
            #expect(seen.first?.contains(#""event":"typing:start""#) == true)
            #expect(seen.first?.contains(#""user_id":"\#(ServiceHarness.alice.lowercaseText)""#) == true)
            #expect(seen.last?.contains(#""event":"typing:stop""#) == true)
            #expect(try alice.rest().isEmpty)
        }
    }

    @Test func presenceComesAndGoes() async throws {
        try await ServiceHarness.run { harness in
            let config = #"{"private":true,"presence":{"enabled":true,"key":"a"}}"#
            let bob = try harness.member(
                ServiceHarness.bob, .v1, config: #"{"private":true,"presence":{"enabled":true}}"#)
            #expect(try bob.nextText().contains("presence_state"))
            let deaf = try harness.member(ServiceHarness.bob, config: #"{"private":true}"#)
            defer { #expect(((try? deaf.rest()) ?? [.close(0)]).isEmpty, "who did not ask for presence hears nothing") }
            do {
                let alice = try harness.member(config: config)
                #expect(try alice.nextText().contains("presence_state"))
                try alice.push("presence", #"{"type":"presence","event":"track","payload":{"at":1}}"#)
                #expect(try alice.nextText().contains(self.ok))
                #expect(try alice.nextText().contains("presence_diff"))
                let joined = try bob.nextText()
                #expect(joined.contains(#""joins":{"a":{"metas":[{"phx_ref":""#) && joined.contains(#""at":1"#))
                let late = try harness.member(config: config)
                #expect(try late.nextText().contains(#""a":{"metas":[{"phx_ref""#))
            }
            // The socket is gone without a leave.
            #expect(try bob.nextText().contains(#""joins":{},"leaves":{"a""#))
        }
    }

    @Test func expiredTokensCloseTheChannelAndNotTheSocket() async throws {
        try await ServiceHarness.run { harness in
            let client = try harness.client()
            try client.push(
                "phx_join", #"{"config":{"private":true},"access_token":"\#(harness.token(expiresIn: 2))"}"#, ref: "1")
            #expect(try client.nextText().contains(#""status":"ok""#))
            #expect(try client.nextText().contains("Token has expired "))
            #expect(try client.nextText().contains("phx_close"))
            try client.join(ref: "9")
            #expect(try client.nextText().contains(#""status":"ok""#))
        }
    }

    @Test func withoutTheLogNobodyJoinsAndNobodyLeaves() async throws {
        try await ServiceHarness.run { harness in
            let member = try harness.member()
            await harness.service.tailChanged(isLive: false)
            let late = try harness.client()
            try late.join()
            #expect(try late.nextText().contains("UnableToConnectToProject: "))
            await harness.service.tailChanged(isLive: true)
            try late.join(ref: "2")
            #expect(try late.nextText().contains(#""status":"ok""#))
            await harness.service.epochChanged()
            #expect(try member.next() == .close(1012))
            #expect(try late.next() == .close(1012))
        }
    }

    @Test func drainRefusesAndClosesEvenly() async throws {
        try await ServiceHarness.run { harness in
            let clients = try (0..<6).map { _ in try harness.member() }
            async let drained: Void = harness.service.drain(over: .milliseconds(300), atMost: .seconds(2))
            for client in clients { #expect(try client.next() == .close(1012)) }
            await drained
            #expect(throws: ClientError.self) { try harness.client() }
        }
    }

    @Test func broadcastOverHTTP() async throws {
        try await ServiceHarness.run { harness in
            let listener = try harness.member(ServiceHarness.bob, .v1)
            let member = harness.token()
            let stranger = harness.token(UUID())
            let service = harness.token(nil, role: "service_role")
            let room = "conversation%3A\(ServiceHarness.room.lowercaseText)"
            let single = "/realtime/v1/api/broadcast/\(room)/events/my%20event?apikey=x&vsn=2.0.0&private=true"
            func post(
                _ path: String, _ token: String?, _ body: String, type: String = "application/json"
            ) throws -> (status: Int, body: String) {
                var headers = ["Content-Type: \(type)"]
                if let token { headers.append("Authorization: Bearer \(token)") }
                return try SocketClient(port: harness.server.port).http(
                    "POST", path, headers: headers, body: [UInt8](body.utf8))
            }
            #expect(try post(single, member, "[1,2]").status == 202)
            #expect(
                try listener.nextText().contains(#"{"type":"broadcast","event":"my event","payload":[1,2]}"#))
            #expect(try post(single, service, "{}").status == 202)
            #expect(try listener.nextText().contains("my event"))
            #expect(
                try post(single, stranger, "{}") == (
                    403, #"{"code":"PT403","message":"Unauthorized","details":null,"hint":null}"#
                ))
            #expect(
                try post(single, "nonsense", "{}") == (
                    401, #"{"code":"PT401","message":"Unauthorized","details":null,"hint":null}"#
                ))
            #expect(try post(single, nil, "{}").status == 401)
            #expect(try post(single, member, "x", type: "text/plain").status == 415)
            #expect(try post(single, member, "{").status == 400)
            let forged = "/realtime/v1/api/broadcast/\(room)/events/Message%3ANew"
            #expect(try post(forged, service, "{}").status == 422)
            #expect(try post("/realtime/v1/api/elsewhere", service, "{}").status == 404)
            #expect(try listener.rest().isEmpty)

            let batch = "/realtime/v1/api/broadcast"
            let topic = "conversation:\(ServiceHarness.room.lowercaseText)"
            func message(_ event: String, _ payload: String) -> String {
                #"{"topic":"\#(topic)","event":"\#(event)","payload":\#(payload)}"#
            }
            #expect(
                try post(batch, member, #"{"messages":[\#(message("hi", "{}"))]}"#) == (202, ""))
            #expect(try listener.nextText().contains(#""event":"hi""#))
            #expect(try post(batch, stranger, #"{"messages":[\#(message("hi", "{}"))]}"#).status == 202)
            #expect(
                try post(batch, member, #"{"messages":[{"topic":"x"},\#(message("hi", "{}"))]}"#)
                    == (
                        422,
                        #"{"code":"PT422","message":"Each message needs a topic, an event and an object as payload","#
                            + #""details":null,"hint":null,"#
                            + #""errors":{"messages":[{"event":["can't be blank"],"payload":["can't be blank"]},{}]}}"#
                    ))
            #expect(try listener.rest().isEmpty)
            #expect(
                try post(batch, member, #"{"messages":[\#(message("message:send", #"{"content":"over HTTP"}"#))]}"#)
                    .status
                    == 202)
            let sets = try await harness.database.run(
                Transaction([Statement("select content from parley.sent")], mode: .readOnly))
            #expect(sets.first?.rows.first?.string(0) == "over HTTP")

            // Roles the worker's login may have, but no token may act with.
            for role in ["none", "parley_worker", "postgres"] {
                let token = harness.token(role: role)
                let send = try post(batch, token, #"{"messages":[\#(message("message:send", #"{"content":"x"}"#))]}"#)
                #expect(send.status == 403, "\(role)")
            }
        }
    }

    /// One that broadcasts more than others can take costs them its broadcasts, not their sockets.
    @Test func aFloodOfBroadcastsClosesNobody() async throws {
        var configuration = RealtimeConfiguration()
        configuration.broadcasts.userBytesPerSecond = 0
        configuration.broadcasts.topicBytesPerSecond = 0
        try await ServiceHarness.run(configuration) { harness in
            let flooder = try harness.member(config: #"{"private":true}"#)
            let slow = try harness.member(ServiceHarness.bob)
            let payload = #"{"x":"\#(String(repeating: "x", count: 60_000))"}"#
            for _ in 0..<450 { try flooder.broadcast("flood", payload) }
            // A frame of its own, behind all of the flood.
            try flooder.send(#"[null,"7","phoenix","heartbeat",{}]"#)
            #expect(try flooder.nextText().contains("phx_reply"))
            #expect(await harness.service.currentMetrics().ephemeralDropped > 0)
            try await harness.deliver([ServiceHarness.event(5)])
            let seen = try slow.rest(milliseconds: 2000)
            guard case .text(let last)? = seen.last else {
                Issue.record("the durable event did not come last")
                return
            }
            #expect(last.contains(#""event":"message:new""#))
        }
    }

    @Test func noMoreCommandsWaitThanAllowed() async throws {
        var configuration = RealtimeConfiguration()
        configuration.maxCommands = 3
        try await ServiceHarness.run(configuration) { harness in
            let client = try harness.member()
            for n in 1...50 { try client.broadcast("message:send", #"{"content":"\#(n)"}"#, ref: "\(100 + n)") }
            var answers: [String] = []
            for _ in 1...50 { answers.append(try client.nextText()) }
            let refused = answers.count { $0.contains("The database has too much to do") }
            #expect(refused > 0 && refused < 50)
            #expect(await harness.service.currentMetrics().commands == 0)
            try client.broadcast("message:send", #"{"content":"after"}"#)
            #expect(try client.nextText().contains(#""status":"ok""#))
        }
    }
}
