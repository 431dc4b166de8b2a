import FoundationEssentials
import Testing

@testable import ParleyCore

/// `rpc:<function>` as a broadcast.
@Suite struct NamedCommandTests {
    private func actions(_ event: String, _ payload: String, topic: String) throws -> [SessionAction] {
        var harness = SessionHarness()
        try harness.join(topic: topic)
        return try harness.broadcast(event, payload, topic: topic)
    }

    @Test(arguments: [SessionHarness.topic, SessionHarness.inbox]) func runsTheFunctionOfThatName(topic: String) throws
    {
        let actions = try self.actions("rpc:set_color", #"{"color": "red"}"#, topic: topic)
        guard case .command(let socketCommand) = try #require(actions.first) else {
            Issue.record("no command: \(actions)")
            return
        }
        let isRoom = topic == SessionHarness.topic
        let command = socketCommand.command
        #expect(actions.count == 1)
        #expect(command.function == "set_color")
        #expect(String(decoding: command.arguments.json, as: UTF8.self) == #"{"color": "red"}"#)
        #expect(command.channelConversation == (isRoom ? SessionHarness.room : nil))
        #expect(command.subject == (isRoom ? SessionHarness.room : SessionHarness.alice))
        #expect(!command.mayShare && command.answerName == nil)
        #expect(socketCommand.token.subject == SessionHarness.alice)
        #expect(socketCommand.reply?.ref == "9")
    }

    @Test(arguments: ["[]", #"{"a":1,"a":2}"#, "7"]) func theArgumentsAreOneObject(payload: String) throws {
        let actions = try self.actions("rpc:f", payload, topic: SessionHarness.topic)
        #expect(try reason(actions) == "Empty or invalid json")
    }

    @Test func thereAreNoneOnTheTopicOfModerators() throws {
        let topic = "realtime:tenant:\(SessionHarness.room.lowercaseText):moderation"
        let actions = try self.actions("rpc:f", "{}", topic: topic)
        #expect(try reason(actions) == "This event name is reserved for the server")
    }
}
