import PostgresClient
import Testing

@testable import ParleyCore
@testable import ParleyWorker

@Suite struct CommandResponseTests {
    @Test(arguments: ["XX001", "58P01", "F0000"]) func theInsideOfTheServerIsNotTold(state: String) {
        let error = PostgresError(
            .server, sqlState: state, message: "could not open file base/16384/1", detail: "/var/lib/secret", hint: "x")
        let text = String(decoding: CommandResponse.failure(error), as: UTF8.self)
        #expect(!text.contains("base/") && !text.contains("secret") && text.contains(#""details":null,"hint":null"#))
        #expect(text.contains(state) && text.contains("Internal error of the database"))
    }

    @Test func whatTheFunctionsSayIsTold() {
        let error = PostgresError(
            .server, sqlState: "PT429", message: "Too many messages.", detail: "Retry-After: 5", hint: "Wait.")
        #expect(
            String(decoding: CommandResponse.failure(error), as: UTF8.self)
                == #"{"reason":"Too many messages.","retriable":true,"code":"PT429","message":"Too many messages.","#
                + #""details":"Retry-After: 5","hint":"Wait."}"#
        )
    }
}
