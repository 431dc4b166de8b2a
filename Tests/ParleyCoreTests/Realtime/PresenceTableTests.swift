internal import FoundationEssentials
internal import Testing

@testable internal import ParleyCore

@Suite struct PresenceTableTests {
    private func json(_ diff: PresenceDiff) -> String { String(decoding: diff.json(), as: UTF8.self) }

    private func state(_ table: PresenceTable) -> String { String(decoding: table.stateJSON(), as: UTF8.self) }

    private func diff(_ action: PresenceTable.TrackAction) throws -> PresenceDiff {
        guard case .changed(let diff) = action else { throw Unexpected() }
        return diff
    }

    private struct Unexpected: Error {}

    @Test func tracksUpdatesAndLeaves() throws {
        var table = PresenceTable()
        #expect(self.state(table) == "{}")
        let joined = try self.diff(table.track(member: 1, key: "me", fields: ["a": 1], ref: "F1"))
        #expect(self.json(joined) == #"{"joins":{"me":{"metas":[{"phx_ref":"F1","a":1}]}},"leaves":{}}"#)
        #expect(self.state(table) == #"{"me":{"metas":[{"phx_ref":"F1","a":1}]}}"#)

        #expect(table.track(member: 1, key: "me", fields: ["a": 1], ref: "F2") == .unchanged)

        let updated = try self.diff(table.track(member: 1, key: "me", fields: ["a": 2], ref: "F3"))
        #expect(
            self.json(updated)
                == #"{"joins":{"me":{"metas":[{"phx_ref":"F3","phx_ref_prev":"F1","a":2}]}},"#
                + #""leaves":{"me":{"metas":[{"phx_ref":"F1","a":1}]}}}"#)
        #expect(self.state(table) == #"{"me":{"metas":[{"phx_ref":"F3","a":2}]}}"#)

        let left = table.remove(member: 1)
        #expect(try self.json(#require(left)) == #"{"joins":{},"leaves":{"me":{"metas":[{"phx_ref":"F3","a":2}]}}}"#)
        #expect(table.remove(member: 1) == nil)
        #expect(table.isEmpty)
    }

    @Test func membersShareAKey() throws {
        var table = PresenceTable()
        _ = table.track(member: 1, key: "me", fields: ["d": "phone"], ref: "F1")
        _ = table.track(member: 3, key: "you", fields: [:], ref: "F2")
        _ = table.track(member: 2, key: "me", fields: ["d": "web"], ref: "F3")
        _ = table.track(member: 1, key: "me", fields: ["d": "tv"], ref: "F4")
        #expect(
            self.state(table)
                == #"{"me":{"metas":[{"phx_ref":"F4","d":"tv"},{"phx_ref":"F3","d":"web"}]},"#
                + #""you":{"metas":[{"phx_ref":"F2"}]}}"#)
        _ = table.remove(member: 1)
        #expect(
            self.state(table) == #"{"you":{"metas":[{"phx_ref":"F2"}]},"me":{"metas":[{"phx_ref":"F3","d":"web"}]}}"#)
    }

    @Test func someAreShownAndSomeAreNot() throws {
        let alice = UUID()
        let bob = UUID()
        var table = PresenceTable()
        _ = table.track(member: 1, user: alice, key: "a", fields: [:], ref: "F1")
        _ = table.track(member: 2, user: bob, key: "b", fields: [:], ref: "F2")
        #expect(table.user(of: 1) == alice)
        #expect(table.user(of: 3) == nil)
        let shown = table.stateJSON { $0 == bob }
        #expect(String(decoding: shown, as: UTF8.self) == #"{"b":{"metas":[{"phx_ref":"F2"}]}}"#)
        let gone = try #require(table.diff(appearing: false) { $0 == alice })
        #expect(self.json(gone) == #"{"joins":{},"leaves":{"a":{"metas":[{"phx_ref":"F1"}]}}}"#)
        let back = try #require(table.diff(appearing: true) { $0 == alice })
        #expect(self.json(back) == #"{"joins":{"a":{"metas":[{"phx_ref":"F1"}]}},"leaves":{}}"#)
        #expect(table.diff(appearing: true) { $0 == nil } == nil)
    }

    @Test func equalityIgnoresOrderAndReservedNames() throws {
        var table = PresenceTable()
        let joined = try self.diff(
            table.track(
                member: 1, key: "k", fields: ["phx_ref": "forged", "a": 1, "b": 2, "phx_ref_prev": "x"], ref: "F1"))
        #expect(self.json(joined) == #"{"joins":{"k":{"metas":[{"phx_ref":"F1","a":1,"b":2}]}},"leaves":{}}"#)
        #expect(table.track(member: 1, key: "k", fields: ["b": 2, "a": 1], ref: "F2") == .unchanged)
    }

    @Test func aNewKeyIsALeaveAndAJoin() throws {
        var table = PresenceTable()
        _ = table.track(member: 1, key: "a", fields: [:], ref: "F1")
        let moved = try self.diff(table.track(member: 1, key: "b", fields: [:], ref: "F2"))
        #expect(
            self.json(moved)
                == #"{"joins":{"b":{"metas":[{"phx_ref":"F2"}]}},"leaves":{"a":{"metas":[{"phx_ref":"F1"}]}}}"#)
        #expect(table.count == 1)
    }

    @Test func enforcesLimits() {
        var table = PresenceTable(limits: .init(maxFieldBytes: 10, maxMembers: 2, maxKeyBytes: 4))
        #expect(table.track(member: 1, key: "k", fields: ["a": "1234"], ref: "F1") == .tooLarge)
        #expect(table.isEmpty)
        #expect(table.track(member: 1, key: "ééé", fields: [:], ref: "F1") == .refused)
        _ = table.track(member: 1, key: "éé", fields: ["a": "12"], ref: "F1")
        _ = table.track(member: 2, key: "k", fields: [:], ref: "F2")
        #expect(table.track(member: 3, key: "k", fields: [:], ref: "F3") == .refused)
        // A full table still takes updates, and room comes back.
        #expect(table.track(member: 2, key: "k", fields: ["a": 1], ref: "F4") != .refused)
        _ = table.remove(member: 1)
        #expect(table.track(member: 3, key: "k", fields: [:], ref: "F5") != .refused)
        // Too large an update leaves the old presence.
        #expect(table.track(member: 2, key: "k", fields: ["a": "1234567"], ref: "F6") == .tooLarge)
        #expect(self.state(table) == #"{"k":{"metas":[{"phx_ref":"F4","a":1},{"phx_ref":"F5"}]}}"#)
    }

    @Test func mergesABurst() throws {
        var table = PresenceTable()
        _ = table.track(member: 9, key: "old", fields: [:], ref: "F0")
        var burst = try self.diff(table.track(member: 1, key: "a", fields: [:], ref: "F1"))
        burst.merge(try self.diff(table.track(member: 1, key: "a", fields: ["x": 1], ref: "F2")))
        burst.merge(try self.diff(table.track(member: 2, key: "b", fields: [:], ref: "F3")))
        let goners = [table.remove(member: 2), table.remove(member: 9)]
        for gone in goners { burst.merge(try #require(gone)) }
        #expect(
            self.json(burst)
                == #"{"joins":{"a":{"metas":[{"phx_ref":"F2","phx_ref_prev":"F1","x":1}]}},"#
                + #""leaves":{"old":{"metas":[{"phx_ref":"F0"}]}}}"#)
        #expect(!burst.isEmpty)
        #expect(PresenceDiff().isEmpty)
    }

    /// A client that applies every diff to the state it got at its join ends where the server is.
    @Test func diffsAddUpToTheState() throws {
        var fuzz = Fuzz("Presence")
        var refs = PresenceRefs(seed: 7)
        var table = PresenceTable()
        var known: [String: String] = [:]  // phx_ref to key
        var pending = PresenceDiff()
        for round in 0..<5000 {
            let member = UInt64.random(in: 0..<6, using: &fuzz.random)
            let key = ["a", "b", "é"].randomElement(using: &fuzz.random)!
            if Bool.random(using: &fuzz.random) {
                let fields: JSONObject = ["v": .int(Int.random(in: 0..<3, using: &fuzz.random))]
                if case .changed(let diff) = table.track(member: member, key: key, fields: fields, ref: refs.next()) {
                    pending.merge(diff)
                }
            } else if let diff = table.remove(member: member) {
                pending.merge(diff)
            }
            guard Int.random(in: 0..<3, using: &fuzz.random) == 0 else { continue }
            for entry in pending.leaves {
                #expect(known.removeValue(forKey: entry.meta.ref) == entry.key, "seed \(fuzz.seed), round \(round)")
            }
            for entry in pending.joins { known[entry.meta.ref] = entry.key }
            pending = PresenceDiff()
            var actual: [String: String] = [:]
            for member in try JSONValue.parse(table.stateJSON()).object?.members ?? [] {
                for meta in member.value["metas"]?.array ?? [] { actual[meta["phx_ref"]?.string ?? ""] = member.key }
            }
            #expect(actual == known, "seed \(fuzz.seed), round \(round)")
        }
    }

    @Test func theStateStaysSmallEnoughToBeSent() throws {
        var table = PresenceTable(limits: PresenceTable.Limits(maxTotalBytes: 10_000))
        var accepted: [UInt64] = []
        let fields: JSONObject = ["text": .string(String(repeating: "x", count: 1000))]
        for member in 0..<100 as Range<UInt64> {
            if case .changed = table.track(member: member, key: "k\(member)", fields: fields, ref: "F\(member)") {
                accepted.append(member)
            }
            #expect(table.stateJSON().count <= 10_000)
        }
        #expect(accepted.count == 9)
        // Who is in may change what it shows, and makes room by leaving.
        guard case .changed = table.track(member: accepted[0], key: "k0", fields: [:], ref: "G") else {
            Issue.record("a smaller presence was refused")
            return
        }
        #expect(table.track(member: 200, key: "k", fields: fields, ref: "H") != .refused)
        #expect(table.track(member: 201, key: "k", fields: fields, ref: "I") == .refused)
        _ = table.remove(member: accepted[1])
        #expect(table.track(member: 201, key: "k", fields: fields, ref: "J") != .refused)
    }

    @Test func refsDiffer() {
        var left = PresenceRefs(seed: 1)
        var right = PresenceRefs(seed: 2)
        let refs = (0..<1000).flatMap { _ in [left.next(), right.next()] }
        #expect(Set(refs).count == 2000)
        #expect(refs.allSatisfy { $0.utf8.first == UInt8(ascii: "F") })
    }
}
