import FoundationEssentials
import ParleyCore
import Testing

@Suite struct LimitBookTests {
    private let ann = UUID()
    private let bob = UUID()
    private static let second: Int64 = 1_000_000_000

    private func limits(requests: Int64?, burst: Int64? = nil, receipts: Int64? = nil) -> UserLimits {
        UserLimits(
            requests: .init(amount: requests, periodSeconds: 60, burst: burst),
            receipts: .init(amount: receipts, periodSeconds: 60, burst: nil), maxConnections: nil, retentionDays: nil)
    }

    @Test func aUserIsAskedAboutOnceAndPassesMeanwhile() {
        var book = LimitBook()
        #expect(book.take(.request, of: self.ann, now: 0) == .unknown)
        #expect(book.take(.request, of: self.ann, now: 0) == .allowed)
        #expect(book.limits(of: self.ann) == nil)
        book.learn(nil, of: self.ann, now: 0)
        #expect(book.take(.request, of: self.ann, now: 9 * Self.second) == .allowed)
        #expect(book.take(.request, of: self.ann, now: 10 * Self.second) == .unknown)
    }

    @Test func whatIsUsedUpStaysUsedUpAndComesBack() {
        var book = LimitBook()
        book.learn(self.limits(requests: 60, burst: 2), of: self.ann, now: 0)
        #expect(book.take(.request, of: self.ann, now: 0) == .allowed)
        #expect(book.take(.request, of: self.ann, now: 0) == .allowed)
        let rate = UserLimits.Rate(amount: 60, periodSeconds: 60, burst: 2)
        #expect(book.take(.request, of: self.ann, now: 0) == .refused(.init(kind: .request, rate: rate, seconds: 1)))
        book.learn(self.limits(requests: 60, burst: 2), of: self.ann, now: 0)
        #expect(book.take(.request, of: self.ann, now: 0) != .allowed)
        #expect(book.take(.request, of: self.ann, now: Self.second) == .allowed)
        #expect(book.take(.receipt, of: self.ann, now: 0) == .allowed)
        #expect(book.take(.request, of: self.bob, now: 0) == .unknown)
    }

    @Test func nothingIsAllowedOfNone() {
        var book = LimitBook()
        book.learn(self.limits(requests: 0), of: self.ann, now: 0)
        let rate = UserLimits.Rate(amount: 0, periodSeconds: 60, burst: nil)
        #expect(book.take(.request, of: self.ann, now: 0) == .refused(.init(kind: .request, rate: rate, seconds: 60)))
        book.learn(self.limits(requests: nil), of: self.ann, now: 0)
        #expect((0..<1000).allSatisfy { _ in book.take(.request, of: self.ann, now: 0) == .allowed })
    }

    @Test func aDoubtAsksAgainAndKeepsTheLimit() {
        var book = LimitBook()
        book.learn(self.limits(requests: 1), of: self.ann, now: 0)
        book.doubt()
        #expect(book.take(.request, of: self.ann, now: 0) == .unknown)
        if case .refused = book.take(.request, of: self.ann, now: 0) {} else { Issue.record("the limit is gone") }
    }

    @Test func aDoubtAboutALimitOfNothingAsks() {
        var book = LimitBook()
        book.learn(self.limits(requests: 0), of: self.ann, now: 0)
        book.doubt()
        #expect(book.take(.request, of: self.ann, now: 0) == .unknown)
        if case .refused = book.take(.request, of: self.ann, now: 0) {} else { Issue.record("the limit is gone") }
    }

    @Test func anAnswerDoesNotUndoWhatCameAfterItsQuestion() {
        var book = LimitBook()
        let question = book.question(of: self.ann, now: 0)
        book.learn(self.limits(requests: 2), of: self.ann, now: 0)
        book.learn(self.limits(requests: 1), of: self.ann, asked: question, now: 0)
        #expect(book.limits(of: self.ann)?.requests.amount == 2)
        book.learn(self.limits(requests: 3), of: self.ann, asked: book.generation, now: 0)
        #expect(book.limits(of: self.ann)?.requests.amount == 3)
    }

    @Test func aDoubtOutdatesAnswersThatAreUnderWay() {
        var book = LimitBook()
        #expect(book.take(.request, of: self.ann, now: 0) == .unknown)
        let question = book.generation
        book.doubt()
        book.learn(self.limits(requests: 1), of: self.ann, asked: question, now: 0)
        #expect(book.doubts(self.ann), "better than none, and asked for again")
        #expect(book.limits(of: self.ann)?.requests.amount == 1)
        #expect(book.take(.request, of: self.ann, now: 0) == .unknown)
        book.learn(self.limits(requests: 2), of: self.ann, asked: book.generation, now: 0)
        book.learn(self.limits(requests: 1), of: self.ann, asked: question, now: 0)
        #expect(book.limits(of: self.ann)?.requests.amount == 2)
    }

    @Test func anAnswerAboutAUserWhoWasForgottenSaysNothing() {
        var book = LimitBook(capacity: 1)
        let question = book.question(of: self.ann, now: 0)
        #expect(book.take(.request, of: self.bob, now: 0) == .unknown)
        book.learn(self.limits(requests: 1), of: self.ann, asked: question, now: 0)
        #expect(!book.knows(self.ann))
        #expect(book.question(of: self.ann, now: 0) != question)
        book.learn(self.limits(requests: 1), of: self.ann, asked: question, now: 0)
        #expect(book.doubts(self.ann), "nobody knows what came since")
    }

    @Test func theNumberOfUsersIsBounded() {
        var book = LimitBook(capacity: 4)
        book.learn(self.limits(requests: 1), of: self.ann, now: 0)
        _ = book.take(.request, of: self.ann, now: 0)
        for _ in 0..<50 {
            _ = book.take(.request, of: UUID(), now: 0)
            #expect(book.count <= 4)
        }
    }

    @Test func aQuestionUnderWayIsNotAskedAgainUntilItIsOutOfDate() {
        var book = LimitBook()
        book.learn(self.limits(requests: 1), of: self.ann, now: 0)
        book.doubt()
        #expect(book.doubts(self.ann) && !book.awaitsAnswer(about: self.ann))
        book.awaitAnswer(about: self.ann, now: 0)
        let question = book.generation
        #expect(book.doubts(self.ann) && book.awaitsAnswer(about: self.ann))
        book.learn(self.limits(requests: 2), of: self.bob, now: 0)
        #expect(book.awaitsAnswer(about: self.ann), "what is said of others changes nothing")
        book.doubt()
        #expect(book.doubts(self.ann) && !book.awaitsAnswer(about: self.ann))
        book.learn(self.limits(requests: 2), of: self.ann, asked: question, now: 0)
        #expect(book.doubts(self.ann) && !book.awaitsAnswer(about: self.ann), "the answer was out of date")
        book.awaitAnswer(about: self.ann, now: 0)
        book.learn(nil, of: self.ann, now: 0)
        #expect(book.doubts(self.ann) && !book.awaitsAnswer(about: self.ann), "there was no answer")
        book.awaitAnswer(about: self.ann, now: 0)
        book.learn(self.limits(requests: 2), of: self.ann, asked: book.generation, now: 0)
        #expect(!book.doubts(self.ann))
    }

    @Test func aUserIsKeptWhileTheyHaveASocket() {
        var book = LimitBook(capacity: 4)
        // Before, after, and without what is known of them; of no limit the buckets are always full.
        book.learn(self.limits(requests: nil), of: self.ann, now: 0)
        book.keep(self.ann, now: 0)
        book.keep(self.ann, now: 0)
        book.keep(self.bob, now: 0)
        book.learn(self.limits(requests: 1), of: self.bob, now: 0)
        let others = (0..<6).map { _ in UUID() }
        for user in others { book.keep(user, now: 0) }
        for _ in 0..<50 {
            _ = book.take(.request, of: UUID(), now: 0)
            #expect(book.count <= 8 + 4)
        }
        #expect(book.limits(of: self.ann) != nil)
        #expect(book.limits(of: self.bob) != nil)
        #expect(others.allSatisfy { book.knows($0) })
        book.release(self.ann)
        book.release(self.ann)
        for _ in 0..<4 { _ = book.take(.request, of: UUID(), now: 0) }
        #expect(book.count <= 7 + 4)
        #expect(book.limits(of: self.ann) == nil, "like anybody without a socket")
        #expect(book.limits(of: self.bob) != nil)
    }

    @Test func limitsAreReadAsTheDatabaseShowsThem() throws {
        let text = """
            {"requests_per_minute": {"amount": 100, "period_seconds": 60, "burst": 200},
             "receipts_per_minute": {"amount": null, "period_seconds": 60, "burst": null},
             "max_connections": {"amount": 5, "period_seconds": null, "burst": null},
             "retention_days": {"amount": null, "period_seconds": null, "burst": null}}
            """
        let limits = try #require(UserLimits(RawJSON([UInt8](text.utf8))))
        #expect(limits.requests == .init(amount: 100, periodSeconds: 60, burst: 200))
        #expect(limits.receipts.amount == nil)
        #expect(limits.maxConnections == 5)
        #expect(limits.retentionDays == nil)
        #expect(try UserLimits(RawJSON([UInt8]("{}".utf8))) == nil)
        #expect(UserLimits(nil) == nil)
        #expect(LimitBook.Kind(function: "mark_as_read") == .receipt)
        #expect(LimitBook.Kind(function: "send_message") == .request)
    }
}
