import FoundationEssentials
import ParleyCore
import PostgresClient
import Testing

@testable import ParleyWorker

@Suite struct CallQueryTests {
    private func sql(_ role: String) -> String {
        let token = SessionToken(
            subject: UUID(), role: role, expiresAt: 0, issuedAt: nil, claims: Array("{}".utf8), fingerprint: 0)
        let call = DatabaseCall(
            function: .sendMessage, conversation: UUID(), names: ["content"], arguments: Array("{}".utf8), token: token,
            reply: nil)
        return CallQuery.transaction(call, timeout: .seconds(1), lockTimeout: .seconds(1)).statements[2].sql
    }

    /// Connections keep plans by the text of the statement, and a plan remembers what its first role was allowed.
    @Test func rolesShareNoStatement() {
        #expect(self.sql("authenticated") != self.sql("service_role"))
        #expect(self.sql("authenticated") == self.sql("authenticated"))
    }

    @Test func aCommentHoldsNoEndOfItself() { #expect(GatewayStatements.mark("a*/b/*c") == "/* abc */ ") }

    @Test(arguments: ["XX001", "58P01", "F0000"]) func theInsideOfTheServerIsNotTold(state: String) {
        let error = PostgresError(
            .server, sqlState: state, message: "could not open file base/16384/1", detail: "/var/lib/secret", hint: "x")
        let text = String(decoding: CallQuery.response(error), as: UTF8.self)
        #expect(!text.contains("base/") && !text.contains("secret") && !text.contains("hint"))
        #expect(text.contains(state) && text.contains("Internal error of the database"))
    }

    @Test func whatTheFunctionsSayIsTold() {
        let error = PostgresError(
            .server, sqlState: "PT429", message: "Too many messages.", detail: "Retry-After: 5", hint: "Wait.")
        #expect(
            String(decoding: CallQuery.response(error), as: UTF8.self)
                == #"{"reason":"Too many messages.","code":"PT429","detail":"Retry-After: 5","hint":"Wait.","retriable":true}"#
        )
    }
}
