/// A long-lived part of the program.
///
/// `run()` is its whole life. Returning or throwing before the group stops is a failure of the program: the group then
/// stops every other service too.
public protocol Service: Sendable {
    /// A constant name for logs.
    var name: String { get }

    /// Works until the task is cancelled, or until `drain()` has finished what was under way.
    func run() async throws

    /// Stops taking new work and finishes what is under way. The task of `run()` is cancelled when this returns, or when
    /// the group's drain time is over. Does nothing unless a service implements it.
    func drain() async
}

extension Service {
    public func drain() async {}
}

/// Why a ``ServiceGroup`` ended other than by being asked to.
public struct ServiceError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What happened; more may be added.
    public struct Code: Sendable, Equatable {
        private enum Base { case endedEarly, stuck }
        private let base: Base
        /// A service returned although nobody asked it to stop.
        public static let endedEarly = Code(base: .endedEarly)
        /// A service did not end after it was cancelled.
        public static let stuck = Code(base: .stuck)
    }

    public let code: Code
    /// Names of the services concerned.
    public let services: [String]

    public var description: String {
        let names = self.services.joined(separator: ", ")
        return self.code == .stuck ? "did not stop in time: \(names)" : "ended unexpectedly: \(names)"
    }
}

/// Runs services together: started at once, stopped one by one in reverse order, first gracefully, then by cancellation.
public struct ServiceGroup: Sendable {
    private let services: [any Service]
    private let drainTime: Duration
    private let cancelTime: Duration
    private let log: Log

    private enum Event: Sendable {
        case ended(Int, (any Error)?)
        case stopRequested
        case drained(Int)
        case deadline(Int)
    }

    /// - Parameters:
    ///   - drainTime: for the graceful half of the shutdown, of all services together.
    ///   - cancelTime: for the services to end once they are cancelled.
    public init(_ services: [any Service], drainTime: Duration, cancelTime: Duration = .seconds(5), log: Log) {
        self.services = services
        self.drainTime = drainTime
        self.cancelTime = cancelTime
        self.log = log
    }

    /// Runs until `stops` yields, then shuts down; a second request cuts the graceful half short. Cancelling the calling
    /// task counts as a request.
    ///
    /// - Throws: the first error of a service, or ``ServiceError``.
    public func run(stops: AsyncStream<Void>) async throws {
        // Bounded: every service contributes two events at most, deadlines two, and of stop requests two matter.
        let (events, sink) = AsyncStream.makeStream(
            of: Event.self, bufferingPolicy: .bufferingOldest(self.services.count * 2 + 8))
        let stopTask = Task {
            var requests = 0
            for await _ in stops where requests < 2 {
                requests += 1
                sink.yield(.stopRequested)
            }
        }
        let tasks = self.services.enumerated().map { index, service in
            Task {
                do {
                    try await service.run()
                    sink.yield(.ended(index, nil))
                } catch {
                    sink.yield(.ended(index, error))
                }
            }
        }
        defer { stopTask.cancel() }
        // In a task of its own: a stream ends at once for a task that is cancelled, and there is still much to do.
        let conductor = Task { await self.conduct(tasks, events, sink) }
        let state = await withTaskCancellationHandler {
            await conductor.value
        } onCancel: {
            sink.yield(.stopRequested)
            sink.yield(.stopRequested)
        }
        if let failure = state.failure { throw failure }
        if let index = state.endedEarly {
            throw ServiceError(code: .endedEarly, services: [self.services[index].name])
        }
        if !state.running.isEmpty {
            throw ServiceError(code: .stuck, services: state.running.sorted().map { self.services[$0].name })
        }
    }

    /// Carries out what the events call for, until all services have ended or are given up.
    private func conduct(
        _ tasks: [Task<Void, Never>], _ events: AsyncStream<Event>, _ sink: AsyncStream<Event>.Continuation
    ) async -> ShutdownState {
        var state = ShutdownState(count: self.services.count)
        var timers: [Task<Void, Never>] = []
        defer { for timer in timers { timer.cancel() } }
        // A group without services is done.
        if state.isFinished { return state }
        for await event in events {
            for action in state.apply(event, isCancellation: { $0 is CancellationError }) {
                switch action {
                case .startDrainTimer: timers.append(self.timer(self.drainTime, 0, sink))
                case .startCancelTimer: timers.append(self.timer(self.cancelTime, 1, sink))
                case .drain(let index):
                    let service = self.services[index]
                    self.log.info("draining", [("service", service.name)])
                    Task {
                        await service.drain()
                        sink.yield(.drained(index))
                    }
                case .cancel(let index): tasks[index].cancel()
                case .reportFailure(let index, let error):
                    self.log.error("service failed", [("service", self.services[index].name), ("error", "\(error)")])
                }
            }
            if state.isFinished { break }
        }
        return state
    }

    private func timer(_ time: Duration, _ id: Int, _ sink: AsyncStream<Event>.Continuation) -> Task<Void, Never> {
        Task {
            // Cancelled when the group has ended: then nobody reads the event.
            guard (try? await Task.sleep(for: time)) != nil else { return }
            sink.yield(.deadline(id))
        }
    }

    /// The decisions of a shutdown, without tasks or clocks.
    private struct ShutdownState: Sendable {
        enum Action: Sendable {
            case startDrainTimer, startCancelTimer
            case drain(Int)
            case cancel(Int)
            case reportFailure(Int, any Error)
        }
        private enum Phase {
            case running, cancelling, gaveUp
            case draining(Int)
        }

        private var phase = Phase.running
        private(set) var running: Set<Int>
        private(set) var failure: (any Error)?
        private(set) var endedEarly: Int?

        init(count: Int) { self.running = Set(0..<count) }

        var isFinished: Bool {
            if case .gaveUp = self.phase { return true }
            return self.running.isEmpty
        }

        mutating func apply(_ event: Event, isCancellation: (any Error) -> Bool) -> [Action] {
            switch event {
            case .ended(let index, let error):
                self.running.remove(index)
                var actions: [Action] = []
                if let error, !isCancellation(error) {
                    if self.failure == nil { self.failure = error }
                    actions.append(.reportFailure(index, error))
                }
                switch self.phase {
                case .running:
                    if self.failure == nil { self.endedEarly = index }
                    return actions + self.beginDrain()
                case .draining(index): return actions + self.drainNext(below: index)
                default: return actions
                }
            case .stopRequested:
                switch self.phase {
                case .running: return self.beginDrain()
                case .draining: return self.cancelAll()
                default: return []
                }
            case .drained(let index):
                // Cancelled now; the next one is drained when this one has ended.
                guard case .draining(index) = self.phase, self.running.contains(index) else { return [] }
                return [.cancel(index)]
            case .deadline(0):
                guard case .draining = self.phase else { return [] }
                return self.cancelAll()
            case .deadline:
                self.phase = .gaveUp
                return []
            }
        }

        private mutating func beginDrain() -> [Action] {
            guard let last = self.running.max() else { return [] }
            self.phase = .draining(last)
            return [.startDrainTimer, .drain(last)]
        }

        private mutating func drainNext(below index: Int) -> [Action] {
            guard let next = self.running.filter({ $0 < index }).max() else { return self.cancelAll() }
            self.phase = .draining(next)
            return [.drain(next)]
        }

        private mutating func cancelAll() -> [Action] {
            self.phase = .cancelling
            guard !self.running.isEmpty else { return [] }
            return [.startCancelTimer] + self.running.sorted().map { Action.cancel($0) }
        }
    }
}
