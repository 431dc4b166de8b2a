import Support
import Synchronization
import Testing

@testable import WebServer

/// An actor that runs on an event loop.
private actor Counter {
    private let loop: EventLoop
    private(set) var value = 0
    private(set) var strays = 0

    init(loop: EventLoop) { self.loop = loop }

    nonisolated var unownedExecutor: UnownedSerialExecutor { self.loop.asUnownedSerialExecutor() }

    func add() {
        self.value += 1
        if !self.loop.isCurrent { self.strays += 1 }
    }

    /// The synchronous way in, for callbacks that come on the loop.
    nonisolated func addFromLoop() { self.assumeIsolated { $0.value += 1 } }
}

@Suite(.timeLimit(.minutes(1)))
struct EventLoopTests {
    @Test func postedWorkRunsInOrderOnOneThread() async throws {
        let loop = try EventLoop()
        let seen = Locked<[Int]>([])
        let strays = Atomic<Int>(0)
        for number in 0..<2000 {
            loop.execute {
                seen.withLock { $0.append(number) }
                if !loop.isCurrent { strays.add(1, ordering: .relaxed) }
            }
        }
        let count = loop.wait { seen.withLock { $0.count } }
        #expect(count == 2000)
        #expect(seen.withLock { $0 } == Array(0..<2000))
        #expect(strays.load(ordering: .relaxed) == 0)
        #expect(!loop.isCurrent)
        await loop.shutdown()
    }

    @Test func actorsRunOnTheLoop() async throws {
        let loop = try EventLoop()
        let counter = Counter(loop: loop)
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<250 { await counter.add() } }
            }
        }
        loop.wait { counter.addFromLoop() }
        #expect(await counter.value == 2001)
        #expect(await counter.strays == 0)
        await loop.shutdown()
    }

    @Test func workAndActorsStillRunAfterShutdown() async throws {
        let loop = try EventLoop()
        let counter = Counter(loop: loop)
        await loop.shutdown()
        await counter.add()
        #expect(await counter.value == 1)
        #expect(loop.wait { loop.isCurrent })
        // A second shutdown has nothing to do and returns.
        await loop.shutdown()
    }

    @Test func timersRepeatAndEnd() async throws {
        let loop = try EventLoop()
        let fired = Atomic<Int>(0)
        await confirmation("fires three times", expectedCount: 3) { confirm in
            await withCheckedContinuation { continuation in
                let timer = Locked<LoopTimer?>(nil)
                let made = loop.schedule(every: .milliseconds(2)) {
                    confirm()
                    guard fired.add(1, ordering: .relaxed).newValue == 3 else { return }
                    timer.withLock { $0?.cancel() }
                    continuation.resume()
                }
                timer.withLock { $0 = made }
            }
        }
        await withCheckedContinuation { continuation in
            loop.schedule(after: .milliseconds(20)) { continuation.resume() }
        }
        #expect(fired.load(ordering: .relaxed) == 3)
        // Armed and cancelled in one turn of the loop.
        loop.wait { loop.schedule(after: .milliseconds(1)) { fired.store(100, ordering: .relaxed) }.cancel() }
        await withCheckedContinuation { continuation in
            loop.schedule(after: .milliseconds(20)) { continuation.resume() }
        }
        #expect(fired.load(ordering: .relaxed) == 3)
        await loop.shutdown()
    }

    @Test(.timeLimit(.minutes(1))) func workPostedByATimerDoesNotWaitForTheNextEvent() async throws {
        let loop = try EventLoop()
        let began = ContinuousClock.now
        await withCheckedContinuation { continuation in
            loop.schedule(after: .milliseconds(1)) { loop.execute { continuation.resume() } }
        }
        #expect(ContinuousClock.now - began < .seconds(5))
        await loop.shutdown()
    }

    @Test func enteringAnActorFromAnotherThreadStopsTheProgram() async throws {
        let result = try await #require(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try EventLoop()
            Counter(loop: loop).addFromLoop()
        }
        // Says why, and did not merely fail to start.
        #expect(String(decoding: result.standardErrorContent, as: UTF8.self).contains("executor assumption"))
    }

    @Test func usingASocketFromAnotherThreadStopsTheProgram() async throws {
        let result = try await #require(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            try await TestServer.run { server, port in
                let client = try TestClient.socket(port: port)
                _ = await server.eventually { $0.opened == 1 }
                let socket = server.seen.withLock { $0.sockets[0] }
                socket.send(Frame(text: []))
                withExtendedLifetime(client) {}
            }
        }
        #expect(String(decoding: result.standardErrorContent, as: UTF8.self).contains("off its event loop's thread"))
    }
}
