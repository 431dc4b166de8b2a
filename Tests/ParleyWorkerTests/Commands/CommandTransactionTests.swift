import FoundationEssentials
import PostgresClient
import Testing

@testable import ParleyCore
@testable import ParleyWorker

@Suite struct CommandTransactionTests {
    private let transactions = CommandTransaction(
        schema: "parley_api", lockTimeout: .seconds(1), sharedLockTimeout: .milliseconds(50))

    private func command(_ role: String, isReadOnly: Bool = false) throws -> PlannedCommand {
        let cache = SchemaCache(
            schema: "parley_api",
            functions: [APIFunction("send_message", [], result: .value(isJSON: true), isReadOnly: isReadOnly)])
        let token = SessionToken(
            subject: UUID(), role: role, expiresAt: 0, issuedAt: nil, claims: Array("{}".utf8), fingerprint: 0)
        let command = DatabaseCommand(
            function: "send_message", arguments: try CommandArguments(json: Array("{}".utf8)), subject: UUID())
        return PlannedCommand(
            request: SocketCommand(command: command, token: token, reply: nil),
            plan: try CommandPlanner(cache: cache).plan(command))
    }

    /// Connections keep plans by the text of the statement, and a plan remembers what its first role was allowed.
    @Test func rolesShareNoStatement() throws {
        let sql = { role in self.transactions.alone(try self.command(role), within: .seconds(1)).statements[1].sql }
        #expect(try sql("authenticated") != sql("service_role"))
        #expect(try sql("authenticated") == sql("authenticated"))
    }

    @Test func aCommentHoldsNoEndOfItself() { #expect(RoleMark.text("a*/b/*c") == "/* abc */ ") }

    @Test func readsTakeNoLockInTurn() throws {
        let read = self.transactions.alone(try self.command("authenticated", isReadOnly: true), within: .seconds(1))
        #expect(read.mode == .readOnly && read.contention == nil)
        let write = self.transactions.alone(try self.command("authenticated"), within: .seconds(1))
        #expect(write.mode == .readWrite && write.contention != nil)
    }

    /// Nothing of the caller's runs before the role, and none of it is in the text that sets it.
    @Test func whoItIsComesFirstWithTheLimits() throws {
        let alone = self.transactions.alone(try self.command("authenticated"), within: .seconds(2))
        #expect(alone.statements.count == 2)
        #expect(alone.statements[0].parameters == ["authenticated", "{}", "parley_api", "2000", "1000"])
        #expect(!alone.statements[0].sql.contains("authenticated"))
    }

    @Test func whatIsSharedIsOneOfEachUnderOneLimit() throws {
        let shared = self.transactions.together(
            [try self.command("authenticated"), try self.command("anon")], within: .seconds(1))
        #expect(shared.statements.count == 2 * CommandTransaction.statementsPerCommand)
        #expect(shared.statements.map(\.parameters.count).filter { $0 == 5 }.count == 1)
        #expect(shared.statements[2].parameters == ["anon", "{}"])
        #expect(shared.retriesOnConflict == 0)
    }
}
