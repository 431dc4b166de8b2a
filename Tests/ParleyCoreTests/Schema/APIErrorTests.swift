import Testing

@testable import ParleyCore

@Suite struct APIErrorTests {
    @Test(arguments: [
        ("08006", 503), ("09000", 500), ("0L000", 403), ("0P000", 403), ("21000", 500), ("22P02", 400),
        ("23502", 400), ("23503", 409), ("23505", 409), ("23514", 400), ("25006", 503), ("25P02", 500), ("28000", 403),
        ("2D000", 500), ("38000", 500), ("39000", 500), ("3B000", 500), ("40001", 500), ("42703", 400), ("42883", 404),
        ("42P01", 404), ("42P17", 500), ("53300", 503), ("53400", 500), ("54000", 413), ("54001", 500), ("55000", 500),
        ("55P03", 503), ("57014", 500), ("57P01", 503), ("58030", 500), ("F0000", 500), ("HV000", 500), ("P0001", 400),
        ("P0002", 500),
        ("XX000", 500), ("PT402", 402), ("PT404", 404), ("PT429", 429), ("PTabc", 500), ("PT999", 500), ("ABCDE", 400),
    ])
    func mapsStates(state: String, status: Int) {
        let failure = DatabaseFailure(sqlState: state, message: "m")
        #expect(APIError.status(of: failure, authenticated: true) == status)
    }

    @Test func looksAtMessagesWherePostgRESTDoes() {
        let delete = DatabaseFailure(sqlState: "21000", message: "DELETE requires a WHERE clause")
        #expect(APIError.status(of: delete, authenticated: true) == 400)
        let role = DatabaseFailure(sqlState: "22023", message: "role \"x\" does not exist")
        #expect(APIError.status(of: role, authenticated: true) == 401)
        let other = DatabaseFailure(sqlState: "22023", message: "invalid value")
        #expect(APIError.status(of: other, authenticated: true) == 400)
    }

    @Test func turnsAMissingPrivilegeIntoAChallengeForAnonymousCallers() {
        let failure = DatabaseFailure(sqlState: "42501", message: "permission denied for function f")
        #expect(APIError(failure, authenticated: true).status == 403)
        #expect(APIError(failure, authenticated: true).headers.isEmpty)
        let anonymous = APIError(failure, authenticated: false)
        #expect(anonymous.status == 401)
        #expect(anonymous.headers == [HeaderField("WWW-Authenticate", "Bearer")])
    }

    @Test(
        arguments: [
            ("PT429", "Retry-After: 17", "17"), ("PT429", "30 messages a minute. Retry-After:2 seconds", "2"),
            ("PT429", "Retry-After: soon", nil), ("PT429", "", nil), ("PT429", nil, nil),
            ("PT403", "Retry-After: 3", nil),
            ("57P01", nil, "1"),
        ] as [(String, String?, String?)])
    func saysWhenToTryAgain(state: String, detail: String?, expected: String?) {
        let error = APIError(DatabaseFailure(sqlState: state, message: "m", detail: detail), authenticated: true)
        #expect(error.headers.first { $0.name == "Retry-After" }?.value == expected)
    }

    /// Who waits for another lock is not told of the conversation's.
    @Test(arguments: [("conversation", true), ("rate_bucket", false), (nil, false)] as [(String?, Bool)])
    func tellsOfTheLockThatWasWaitedFor(table: String?, isConversation: Bool) {
        let failure = DatabaseFailure(sqlState: "55P03", message: "canceling statement", lockedTable: table)
        let error = APIError(failure, authenticated: true)
        #expect(error.status == 503 && error.message.contains("The conversation is being changed") == isConversation)
    }

    @Test func keepsWhatPostgresSaid() {
        let error = APIError(
            DatabaseFailure(sqlState: "PT409", message: "Say \"no\".\n", detail: "d", hint: nil), authenticated: true)
        #expect(
            String(decoding: error.body, as: UTF8.self)
                == #"{"code":"PT409","message":"Say \"no\".\n","details":"d","hint":null}"#)
        #expect(error.response.status == 409)
        #expect(error.response.headers.contains(HeaderField("Proxy-Status", "PostgREST; error=PT409")))
        #expect(error.response.headers.contains(HeaderField("Content-Type", "application/json; charset=utf-8")))
    }

    @Test(arguments: [
        ("XX001", "Internal error of the database"),
        ("53100", "The database has no room for this at the moment; try again later."),
    ])
    func hidesTheServersInside(state: String, message: String) {
        let failure = DatabaseFailure(
            sqlState: state, message: "could not extend file \"base/1/2\"", detail: "d", hint: "h")
        let error = APIError(failure, authenticated: true)
        #expect(error.message == message)
        #expect(error.details == nil)
        #expect(error.hint == nil)
    }

    /// A full disk, too many files: the text names files of the server.
    @Test(arguments: ["53000", "53100", "53200", "53300", "53400"])
    func hidesFilesThatLackRoom(state: String) {
        let file = "base/16384/2619"
        let failure = DatabaseFailure(
            sqlState: state, message: "could not extend file \"\(file)\"", detail: "wrote \(file)", hint: "see \(file)")
        let error = APIError(failure, authenticated: true)
        #expect(!String(decoding: error.body, as: UTF8.self).contains(file))
        #expect(error.message.hasPrefix("The database has no room") && error.details == nil && error.hint == nil)
    }

    @Test func challengesWithAWellFormedHeader() {
        let error = APIError.claims("JWT \"expired\"\r\n", details: "Invalid by 5 seconds")
        #expect(error.status == 401)
        #expect(
            error.headers == [
                HeaderField("WWW-Authenticate", "Bearer error=\"invalid_token\", error_description=\"JWT expired\"")
            ])
    }
}
