import Testing

@testable import ParleyWorker

@Suite struct BearerTokenTests {
    @Test(
        arguments: [
            (nil, BearerToken.none), ("", .none), ("Basic abc", .none), ("Bearer", .empty), ("bearer  ", .empty),
            ("Bearer abc", .token("abc")), ("BEARER   abc", .token("abc")),
        ] as [(String?, BearerToken)])
    func readsTheHeader(header: String?, expected: BearerToken) {
        #expect(BearerToken(header.map { ["authorization": $0] } ?? [:]) == expected)
    }
}
