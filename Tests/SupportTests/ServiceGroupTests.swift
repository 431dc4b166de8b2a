import Testing

@testable import Support

/// A service that notes what happens to it.
private final class Probe: Service {
    enum Behaviour { case waits, failsAtOnce, returnsAtOnce, ignoresCancellation, drainsForever }
    struct Failure: Error {}

    let name: String
    private let behaviour: Behaviour
    private let journal: Locked<[String]>

    init(_ name: String, _ behaviour: Behaviour = .waits, _ journal: Locked<[String]>) {
        self.name = name
        self.behaviour = behaviour
        self.journal = journal
    }

    private func note(_ text: String) { self.journal.withLock { $0.append("\(text) \(self.name)") } }

    func run() async throws {
        self.note("run")
        switch self.behaviour {
        case .failsAtOnce: throw Failure()
        case .returnsAtOnce: return
        case .ignoresCancellation:
            await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                Task.detached {
                    try? await Task.sleep(for: .seconds(2))
                    done.resume()
                }
            }
        case .waits, .drainsForever:
            do { try await Task.sleep(for: .seconds(600)) } catch { self.note("end") }
        }
    }

    func drain() async {
        self.note("drain")
        if self.behaviour == .drainsForever { try? await Task.sleep(for: .seconds(600)) }
    }
}

@Suite(.timeLimit(.minutes(1))) struct ServiceGroupTests {
    private let journal = Locked<[String]>([])
    private let log = Log(label: "test", sink: { _ in })

    private func stops() -> (AsyncStream<Void>, AsyncStream<Void>.Continuation) {
        AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(2))
    }

    private func started(_ count: Int) async throws {
        while self.journal.withLock({ $0.count }) < count { try await Task.sleep(for: .milliseconds(2)) }
    }

    @Test func stopsInReverseOrderOneByOne() async throws {
        let (stream, stop) = self.stops()
        let services = ["a", "b", "c"].map { Probe($0, .waits, self.journal) }
        let task = Task {
            try await ServiceGroup(services, drainTime: .seconds(30), log: self.log).run(stops: stream)
        }
        try await self.started(3)
        stop.yield()
        try await task.value
        #expect(
            self.journal.withLock { Array($0.dropFirst(3)) } == [
                "drain c", "end c", "drain b", "end b", "drain a", "end a",
            ])
    }

    @Test(arguments: [true, false])
    func stopsAllWhenOneEnds(fails: Bool) async throws {
        let (stream, _) = self.stops()
        let services = [
            Probe("a", .waits, self.journal), Probe("b", fails ? .failsAtOnce : .returnsAtOnce, self.journal),
        ]
        let group = ServiceGroup(services, drainTime: .seconds(30), log: self.log)
        if fails {
            await #expect(throws: Probe.Failure.self) { try await group.run(stops: stream) }
        } else {
            let expected = ServiceError(code: .endedEarly, services: ["b"])
            await #expect(throws: expected) { try await group.run(stops: stream) }
        }
        #expect(self.journal.withLock { $0.suffix(2) } == ["drain a", "end a"])
    }

    @Test func cancelsWhatDoesNotDrainInTime() async throws {
        let (stream, stop) = self.stops()
        let services = [Probe("a", .waits, self.journal), Probe("b", .drainsForever, self.journal)]
        let task = Task {
            try await ServiceGroup(services, drainTime: .milliseconds(50), log: self.log).run(stops: stream)
        }
        try await self.started(2)
        stop.yield()
        try await task.value
        // There is no time left to drain a.
        #expect(self.journal.withLock { Set($0.dropFirst(2)) } == ["drain b", "end b", "end a"])
    }

    @Test func aSecondRequestCutsTheDrainShort() async throws {
        let (stream, stop) = self.stops()
        let services = [Probe("a", .drainsForever, self.journal)]
        let task = Task { try await ServiceGroup(services, drainTime: .seconds(600), log: self.log).run(stops: stream) }
        try await self.started(1)
        stop.yield()
        try await self.started(2)
        stop.yield()
        try await task.value
        #expect(self.journal.withLock { $0 } == ["run a", "drain a", "end a"])
    }

    @Test func cancellingTheCallerStopsAtOnce() async throws {
        let (stream, _) = self.stops()
        let services = [Probe("a", .waits, self.journal)]
        let task = Task { try await ServiceGroup(services, drainTime: .seconds(600), log: self.log).run(stops: stream) }
        try await self.started(1)
        task.cancel()
        try await task.value
        #expect(self.journal.withLock { $0.contains("end a") })
    }

    @Test func givesUpOnWhatIgnoresCancellation() async throws {
        let (stream, stop) = self.stops()
        let services = [Probe("a", .waits, self.journal), Probe("b", .ignoresCancellation, self.journal)]
        let group = ServiceGroup(
            services, drainTime: .milliseconds(20), cancelTime: .milliseconds(50), log: self.log)
        let task = Task { try await group.run(stops: stream) }
        try await self.started(2)
        stop.yield()
        let expected = ServiceError(code: .stuck, services: ["b"])
        await #expect(throws: expected) { try await task.value }
    }
}

@Suite(.timeLimit(.minutes(1))) struct ChildProcessTests {
    @Test func tellsOutputAndExit() async throws {
        let outcome = try await ChildProcess.run("sh", "-c", "echo out; echo err >&2; exit 3")
        #expect(outcome.output == "out\nerr\n")
        #expect(outcome.exit.code == 3 && !outcome.exit.isSuccess)
        let good = try await ChildProcess.run("true")
        #expect(good.exit.isSuccess)
        let killed = try await ChildProcess.run("sh", "-c", "kill -9 $$")
        #expect(killed.exit.description == "signal 9")
    }

    @Test func boundsWhatItKeeps() async throws {
        let outcome = try await ChildProcess.run("sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x")
        #expect(outcome.output.utf8.count == ChildProcess.longestOutput)
    }

    /// A daemon that keeps the output open does not hold the caller up.
    @Test func doesNotWaitForDaemons() async throws {
        let start = ContinuousClock.now
        let outcome = try await ChildProcess.run("sh", "-c", "sleep 20 & echo started")
        #expect(outcome.output == "started\n")
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    @Test func saysWhatCannotBeStarted() async throws {
        await #expect(throws: ChildProcess.StartError.self) { try await ChildProcess.run("/no/such/program") }
    }
}
