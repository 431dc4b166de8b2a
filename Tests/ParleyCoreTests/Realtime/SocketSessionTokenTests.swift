import FoundationEssentials
import Testing

@testable import ParleyCore

@Suite struct SocketSessionTokenTests {
    private func refresh(_ harness: inout SessionHarness, _ token: String) throws -> [SessionAction] {
        try harness.send("access_token", #"{"access_token":\#(token)}"#, joinRef: nil)
    }

    private func question(_ actions: [SessionAction]) throws -> Authorization {
        guard actions.count == 1, case .authorize(let question) = actions[0] else {
            Issue.record("nothing asked: \(actions)")
            throw CancellationError()
        }
        return question
    }

    @Test(arguments: [#""alice""#, "null", #""sb_secret_x""#, "17"]) func noEffect(token: String) throws {
        var harness = SessionHarness()
        try harness.join()
        #expect(try self.refresh(&harness, token).isEmpty)
        #expect(harness.session.channels.count == 1)
    }

    @Test(
        arguments: [
            (#""""#, "The token provided is not a valid JWT"), (#""garbage""#, "The token provided is not a valid JWT"),
            (#""expired""#, "Token has expired 5 seconds ago"),
            (#""bob""#, "You do not have permissions to read from this Channel topic: "),
        ])
    func badTokensClose(token: String, message: String) throws {
        var harness = SessionHarness()
        let id = try harness.join(ref: "3", joinRef: "2")
        let actions = try self.refresh(&harness, token)
        let sent = frames(actions)
        #expect(sent.count == 2)
        #expect(sent[0].contains(message) && sent[0].contains(#""status":"error""#))
        #expect(sent[1] == #"["2","2","\#(SessionHarness.topic)","phx_close",{}]"#)
        #expect(actions.last == .drop(id))
    }

    @Test func newTokenIsAskedForAndTaken() throws {
        var harness = SessionHarness()
        let id = try harness.join()
        let question = try self.question(try self.refresh(&harness, #""newer""#))
        #expect(question.isRefresh)
        // The same again while the answer is out asks nothing more.
        #expect(try self.refresh(&harness, #""newer""#).isEmpty)
        #expect(harness.answer(question).isEmpty)
        #expect(harness.session.channel(id)?.token === harness.tokens["newer"])
        #expect(harness.session.channel(id)?.refreshing == nil)
    }

    /// A channel of the service role is bound to nobody's membership; with a user's token it would outlive a removal.
    @Test func theServiceRoleDoesNotBecomeAUser() throws {
        var harness = SessionHarness()
        harness.tokens["root"] = SessionHarness.token(SessionHarness.alice, text: "root", role: "service_role")
        try harness.join(token: "root")
        let sent = frames(try self.refresh(&harness, #""alice""#))
        #expect(sent.first?.contains("You do not have permissions to read from this Channel topic") == true)
        #expect(harness.session.channels.isEmpty)
    }

    @Test func newTokenWithoutRightsCloses() throws {
        var harness = SessionHarness()
        try harness.join()
        let question = try self.question(try self.refresh(&harness, #""newer""#))
        let sent = frames(harness.answer(question, .denied))
        #expect(sent.first?.contains("You no longer have permission to read from this Channel topic") == true)
        #expect(sent.last?.contains("phx_close") == true)
        #expect(harness.session.channels.isEmpty)
    }

    @Test func withoutDatabaseTheSameRoleStays() throws {
        var harness = SessionHarness()
        try harness.join()
        let question = try self.question(try self.refresh(&harness, #""newer""#))
        #expect(harness.answer(question, .failed(.unavailable)).isEmpty)
        #expect(harness.session.channels.count == 1)

        harness.tokens["anon"] = SessionHarness.token(SessionHarness.alice, text: "anon", role: "anon")
        let other = try self.question(try self.refresh(&harness, #""anon""#))
        #expect(!harness.answer(other, .failed(.unavailable)).isEmpty)
        #expect(harness.session.channels.isEmpty)
    }

    @Test func expiryClosesTheChannelOnly() throws {
        var harness = SessionHarness()
        let id = try harness.join(token: "short")
        harness.context.now += 1_999
        #expect(harness.session.expire(id, context: harness.context).isEmpty)
        harness.context.now += 1_001
        let actions = harness.session.expire(id, context: harness.context)
        let sent = frames(actions)
        #expect(sent.count == 2)
        #expect(sent[0].contains("Token has expired 1 seconds ago"))
        #expect(sent[1].contains("phx_close"))
        #expect(!actions.contains { if case .close = $0 { true } else { false } })
        #expect(try harness.ask().question != nil)
    }

    @Test func expiredWhileJoiningIsAnErrorReply() throws {
        var harness = SessionHarness()
        let question = try #require(try harness.ask(token: "short").question)
        harness.context.now += 3_000
        let actions = harness.session.expire(question.channel, context: harness.context)
        #expect(try reason(actions) == "InvalidJWTToken: Token has expired 1 seconds ago")
    }

    @Test func revokedInTheLog() throws {
        var harness = SessionHarness()
        let id = try harness.join()
        let sent = frames(harness.session.revoked(id, context: harness.context))
        #expect(
            sent.first
                == #"[null,null,"\#(SessionHarness.topic)","system",{"channel":"\#(SessionHarness.topic.dropFirst(9))","#
                + #""extension":"system","message":"You no longer have permission to read from this Channel topic: "#
                + #"\#(SessionHarness.topic.dropFirst(9))","status":"error"}]"#)
        #expect(sent.last?.contains("phx_close") == true)
        #expect(harness.session.revoked(id, context: harness.context).isEmpty)
    }
}
