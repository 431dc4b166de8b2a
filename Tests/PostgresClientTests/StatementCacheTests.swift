import Testing

@testable import PostgresClient

@Suite struct StatementCacheTests {
    private static func always(_: String) -> Bool { true }

    private func run(_ cache: inout StatementCache, _ texts: [String]) -> StatementCache.Plan {
        let plan = cache.plan(texts, worthPreparing: Self.always)
        for case (let text, .prepare) in zip(texts, plan.uses) { cache.prepared(text) }
        return plan
    }

    @Test func aNameStandsForItsText() {
        #expect(StatementCache.name(of: "select 1") == StatementCache.name(of: "select 1"))
        #expect(StatementCache.name(of: "select 1") != StatementCache.name(of: "select 2"))
        // Postgres cuts names off at 63 bytes.
        #expect(StatementCache.name(of: String(repeating: "x", count: 9000)).utf8.count == 47)
    }

    @Test func theLeastRecentlyUsedGoes() {
        var cache = StatementCache(capacity: 2, bytes: 1000)
        _ = self.run(&cache, ["a"])
        _ = self.run(&cache, ["b"])
        _ = self.run(&cache, ["a"])
        #expect(self.run(&cache, ["c"]).evicted == [StatementCache.name(of: "b")])
        #expect(self.run(&cache, ["a"]).uses == [.prepared(name: StatementCache.name(of: "a"))])
    }

    @Test func aTransactionNeverLosesItsOwnStatements() {
        var cache = StatementCache(capacity: 2, bytes: 1000)
        _ = self.run(&cache, ["a"])
        _ = self.run(&cache, ["b"])
        let plan = self.run(&cache, ["a", "c", "d", "e"])
        #expect(plan.evicted == [StatementCache.name(of: "b")])
        let names = ["a", "c"].map(StatementCache.name)
        #expect(plan.uses == [.prepared(name: names[0]), .prepare(name: names[1]), .unprepared, .unprepared])
    }

    @Test func textsAreBoundedInBytes() {
        var cache = StatementCache(capacity: 100, bytes: 50)
        for letter in ["a", "b", "c", "d", "e", "f", "g"] {
            _ = self.run(&cache, [String(repeating: letter, count: 20)])
            #expect(cache.bytes <= 50 && cache.count <= 2)
        }
        // Larger than everything: run as it is, and nothing makes room for it.
        #expect(self.run(&cache, [String(repeating: "x", count: 51)]) == StatementCache.Plan(uses: [.unprepared]))
        #expect(cache.count == 2)
        cache.notPrepared(String(repeating: "g", count: 20))
        #expect(cache.bytes == 20)
    }

    @Test func longTextsAreNotPrepared() {
        var cache = StatementCache(capacity: 100, bytes: 1 << 20)
        let text = String(repeating: "x", count: StatementCache.longestText + 1)
        #expect(self.run(&cache, [text]).uses == [.unprepared])
    }
}
