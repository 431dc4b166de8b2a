import Testing

@testable import WebServer

@Suite struct AdmissionTests {
    private func admission(perAddress: Int = 3, perKey: Int = 2) -> Admission {
        Admission(.init(connections: 10, reserved: 4, perAddress: perAddress, perKey: perKey))
    }

    @Test func limitsStrangersOfOneAddress() {
        var admission = self.admission()
        var passes = (0..<3).map { _ in admission.enter("a") }
        #expect(admission.verdict("a", now: 0) == .addressFull)
        #expect(admission.verdict("b", now: 0) == .admit)
        // Whoever is proven counts against the user instead.
        #expect(admission.prove(&passes[0], key: "u", now: 0) == true)
        #expect(admission.verdict("a", now: 0) == .admit)
        admission.leave(passes[1], now: 0)
        admission.leave(passes[2], now: 0)
        #expect(admission.unproven == 0)
        #expect(admission.connections == 1)
    }

    @Test func keepsRoomForKnownAddresses() {
        var admission = self.admission()
        var known = admission.enter("home")
        #expect(admission.prove(&known, key: "u", now: 0) == true)
        admission.leave(known, now: 1000)
        for n in 0..<6 { _ = admission.enter("stranger \(n)") }
        #expect(admission.verdict("another", now: 2000) == .strangersFull)
        #expect(admission.verdict("home", now: 2000) == .admit)
        // Knowledge ends.
        #expect(admission.verdict("home", now: 1000 + Admission.knownFor) == .strangersFull)
        for _ in 0..<4 { _ = admission.enter("home") }
        #expect(admission.verdict("home again", now: 2000) == .full)
    }

    @Test func limitsConnectionsOfOneUser() {
        var admission = self.admission()
        var passes = (0..<3).map { admission.enter("\($0)") }
        #expect(admission.prove(&passes[0], key: "u", now: 0) == true)
        #expect(admission.prove(&passes[1], key: "u", now: 0) == true)
        #expect(admission.prove(&passes[2], key: "u", now: 0) == false)
        #expect(admission.unproven == 1)
        // The same again is none more; another user lets go of the first.
        #expect(admission.prove(&passes[0], key: "u", now: 0) == true)
        #expect(admission.prove(&passes[0], key: "v", now: 0) == true)
        #expect(admission.prove(&passes[2], key: "u", now: 0) == true)
        for pass in passes { admission.leave(pass, now: 0) }
        var fresh = admission.enter("x")
        #expect(admission.prove(&fresh, key: "u", now: 0) == true)
    }

    @Test func zeroIsNoLimit() {
        var admission = Admission(.init(connections: 1000, reserved: 0, perAddress: 0, perKey: 0))
        for _ in 0..<1000 {
            #expect(admission.verdict("a", now: 0) == .admit)
            var pass = admission.enter("a")
            #expect(admission.prove(&pass, key: "u", now: 0) == true)
        }
        #expect(admission.verdict("a", now: 0) == .full)
    }

    /// Random comings and goings leave the counts at zero, and memory bounded.
    @Test func countsComeOut() {
        var admission = Admission(.init(connections: 100_000, reserved: 10, perAddress: 50, perKey: 5))
        var passes: [Admission.Pass] = []
        for now in 0..<40_000 {
            let address = "\(Int.random(in: 0..<20_000))"
            if admission.verdict(address, now: Int64(now)) == .admit {
                var pass = admission.enter(address)
                _ = admission.prove(&pass, key: "\(Int.random(in: 0..<500))", now: Int64(now))
                passes.append(pass)
            }
            if passes.count > 200 {
                admission.leave(passes.remove(at: Int.random(in: 0..<passes.count)), now: Int64(now))
            }
        }
        #expect(admission.remembered <= passes.count + Admission.maxRemembered)
        for pass in passes { admission.leave(pass, now: 50_000) }
        #expect(admission.connections == 0)
        #expect(admission.unproven == 0)
    }

    @Test func addressesAreGrouped() {
        func bytes(_ text: [UInt8]) -> [UInt8] { text + [UInt8](repeating: 0, count: 16 - text.count) }
        let mapped = [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 192, 0, 2, 7]
        #expect(PeerAddress.group(mapped) == "192.0.2.7")
        let one = bytes([0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 9])
        #expect(PeerAddress.group(one) == PeerAddress.group(bytes([0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 8])))
        #expect(PeerAddress.group(one) != PeerAddress.group(bytes([0x20, 1, 0xd, 0xb8, 0, 1, 0, 3, 9])))
    }

    @Test func victimsAreTheStalledAndThenTheLargest() {
        let holders: [HeldBytes.Holder<String>] = [
            .init(subject: "small", bytes: 1000, isStalled: true, isAnswer: true),
            .init(subject: "reading answer", bytes: 9_000_000, isStalled: false, isAnswer: true),
            .init(subject: "socket", bytes: 200_000, isStalled: false, isAnswer: false),
            .init(subject: "upload", bytes: 300_000, isStalled: false, isAnswer: false),
            .init(subject: "stalled answer", bytes: 100_000, isStalled: true, isAnswer: true),
            .init(subject: "stalled socket", bytes: 150_000, isStalled: true, isAnswer: false),
        ]
        #expect(HeldBytes.victims(holders) == ["stalled socket", "stalled answer", "upload", "socket"])
    }
}
