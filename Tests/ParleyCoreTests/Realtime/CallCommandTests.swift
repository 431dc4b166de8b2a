import FoundationEssentials
import Testing

@testable import ParleyCore

private let callID = "d1d1d1d1-0000-4000-8000-00000000000c"
private let roomID = SessionHarness.room.lowercaseText

/// The commands of voice and video calls.
@Suite struct CallCommandTests {
    private func joined(_ topic: String) throws -> SessionHarness {
        var harness = SessionHarness()
        let (question, _) = try harness.ask(#"{"private":true,"broadcast":{"ack":true}}"#, topic: topic)
        _ = harness.answer(try #require(question))
        return harness
    }

    private func command(_ event: String, _ payload: String, topic: String) throws -> SocketCommand {
        var harness = try self.joined(topic)
        let actions = try harness.broadcast(event, payload, topic: topic)
        guard case .command(let command) = try #require(actions.first) else {
            Issue.record("no command: \(actions)")
            throw CancellationError()
        }
        #expect(actions.count == 1)
        #expect(command.reply?.topic == topic)
        return command
    }

    @Test(
        arguments: [
            (
                "call:accept", #"{"call_id":"\#(callID)","device_id":"a","kind":"x"}"#,
                "accept_call",
                #"{"call_id":"\#(callID)","device_id":"a"}"#
            ),
            (
                "call:decline", #"{"callId":"\#(callID)","busy":true}"#, "decline_call",
                #"{"busy":true,"call_id":"\#(callID)"}"#
            ),
            ("call:cancel", #"{"call_id":"\#(callID)","busy":null}"#, "cancel_call", #"{"call_id":"\#(callID)"}"#),
            (
                "call:end", #"{"call_id":"\#(callID)","failed":false,"deviceId":"a"}"#, "end_call",
                #"{"call_id":"\#(callID)","device_id":"a","failed":false}"#
            ),
            (
                "call:offer", #"{"call_id":"\#(callID)","to_user_id":"\#(roomID)","payload":{"b": 1},"kind":"ice"}"#,
                "signal_call",
                #"{"call_id":"\#(callID)","kind":"offer","payload":{"b": 1},"to_user_id":"\#(roomID)"}"#
            ),
            (
                "call:ice", #"{"call_id":"\#(callID)","to_user_id":"\#(roomID)","to_device_id":"b","payload":{}}"#,
                "signal_call",
                #"{"call_id":"\#(callID)","kind":"ice","payload":{},"to_device_id":"b","to_user_id":"\#(roomID)"}"#
            ),
        ])
    func theFunctionOfTheSameName(
        event: String, payload: String, function: String, arguments: String
    ) throws {
        for topic in [SessionHarness.topic, SessionHarness.inbox] {
            let command = try self.command(event, payload, topic: topic)
            #expect(command.command.function == function)
            #expect(String(decoding: command.command.arguments.json, as: UTF8.self) == arguments)
        }
        // In order with what else is about the same thing.
        let there = try self.command(event, payload, topic: SessionHarness.topic)
        #expect(there.command.subject == SessionHarness.room)
        let here = try self.command(event, payload, topic: SessionHarness.inbox)
        #expect(here.command.subject == UUID(uuidString: callID))
    }

    @Test func startNamesItsConversation() throws {
        let start = #"{"kind":"voice","device_id":"a"}"#
        let full = #"{"conversation_id":"\#(roomID)","device_id":"a","kind":"voice"}"#
        let there = try self.command("call:start", start, topic: SessionHarness.topic)
        #expect(String(decoding: there.command.arguments.json, as: UTF8.self) == full)
        let here = try self.command("call:start", full, topic: SessionHarness.inbox)
        #expect(here.command.arguments == there.command.arguments)
        #expect(here.command.subject == SessionHarness.room)
        #expect(here.command.arguments.names == ["conversation_id", "device_id", "kind"])
    }

    @Test(
        arguments: [
            ("call:start", "{}", "conversation_id is required"),
            ("call:start", #"{"conversation_id":"x"}"#, "conversation_id must be a uuid"),
            ("call:accept", #"{"device_id":"a"}"#, "call_id is required"),
            ("call:accept", #"{"call_id":"\#(callID)"}"#, "device_id is required"),
            ("call:offer", #"{"call_id":"\#(callID)","payload":{}}"#, "to_user_id is required"),
            ("call:ice", #"{"call_id":"\#(callID)","to_user_id":"\#(roomID)"}"#, "payload is required"),
            ("call:end", "[]", "payload must be an object"),
            ("call:ended", "{}", "This event name is reserved for the server"),
            ("call:ring", "{}", "Clients may not broadcast on this topic"),
            ("Call:Accept", "{}", "This event name is reserved for the server"),
        ])
    func badCommands(event: String, payload: String, expected: String) throws {
        var harness = try self.joined(SessionHarness.inbox)
        #expect(try reason(try harness.broadcast(event, payload, topic: SessionHarness.inbox)) == expected)
    }

    @Test func anotherConversationThanTheChannels() throws {
        var harness = try self.joined(SessionHarness.topic)
        let actions = try harness.broadcast("call:start", #"{"conversation_id":"\#(callID)"}"#)
        #expect(try reason(actions) == "conversation_id must be the conversation of the channel")
    }

    @Test func moderatorsDoNotCallThere() throws {
        let topic = "realtime:tenant:\(roomID):moderation"
        var harness = try self.joined(topic)
        let actions = try harness.broadcast("call:cancel", #"{"call_id":"\#(callID)"}"#, topic: topic)
        #expect(try reason(actions) == "This event name is reserved for the server")
    }
}
