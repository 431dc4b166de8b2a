internal import ParleyCore
internal import Support

/// Counts what push does, for `/metrics`. Nothing is decided by it.
final class PushMetrics: Sendable {
    struct Series: Hashable, Sendable {
        var provider: PushTarget.Provider
        var outcome: String
        var reason: String
    }

    /// The queue in the database, as it was seen last.
    struct QueueState: Sendable, Equatable {
        var provider: String
        var lane: String
        /// Jobs that are due.
        var due: Int64
        /// Of the oldest of them, in milliseconds.
        var age: Int64
    }

    /// The log, as far as no jobs were made of it.
    struct LogState: Sendable, Equatable {
        var events: Int64
        /// Of the oldest of them, in milliseconds.
        var age: Int64
        /// Of this database: how often events were passed over because they were gone, and how many because they failed.
        var resets: Int64
        var skipped: Int64
    }

    private struct State: Sendable {
        var settled: [Series: Int] = [:]
        var dropped: [PushTarget.Provider: Int] = [:]
        var stopped: [PushTarget.Provider: Set<String>] = [:]
        var delays: [PushTarget.Provider: AnswerTally] = [:]
        var queue: [QueueState] = []
        var behind: LogState?
    }

    /// Reasons are words of providers: beyond so many series they count together.
    private static let mostSeries = 500
    private let state = Locked(State())

    /// - Parameter now: milliseconds since 1970.
    func settled(_ settlement: PushSettlement, of provider: PushTarget.Provider, madeAt: Int64?, now: Int64) {
        self.state.withLock { state in
            var series = Series(
                provider: provider, outcome: settlement.json["outcome"]?.string ?? "", reason: settlement.reason)
            if state.settled[series] == nil, state.settled.count >= Self.mostSeries { series.reason = "other" }
            state.settled[series, default: 0] += 1
            switch settlement.outcome {
            case .deadToken: state.dropped[provider, default: 0] += 1
            case .delivered:
                guard let madeAt else { break }
                state.delays[provider, default: AnswerTally()].add(.milliseconds(max(0, now - madeAt)))
            case .retry, .dead: break
            }
        }
    }

    func route(_ name: String, of provider: PushTarget.Provider, isStopped: Bool) {
        self.state.withLock { state in
            if isStopped {
                state.stopped[provider, default: []].insert(name)
            } else {
                state.stopped[provider]?.remove(name)
            }
        }
    }

    func forget(_ names: some Sequence<String>, of provider: PushTarget.Provider) {
        self.state.withLock { $0.stopped[provider]?.subtract(names) }
    }

    func saw(_ queue: [QueueState]) { self.state.withLock { $0.queue = queue } }

    func saw(_ behind: LogState) { self.state.withLock { $0.behind = behind } }

    /// Without what would need an escape, or end the line.
    private static func label(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }))
            .filter { $0 != "\\" && $0 != "\"" }
    }

    /// In the text format of OpenMetrics, without its end.
    func text() -> String {
        let state = self.state.withLock { $0 }
        var lines: [String] = []
        func family(_ name: String, _ type: String, _ help: String, _ samples: [(String, String)]) {
            guard !samples.isEmpty else { return }
            lines += ["# TYPE \(name) \(type)", "# HELP \(name) \(help)"]
            lines += samples.sorted { $0.0 < $1.0 }.map { "\(name)\($0.0) \($0.1)" }
        }
        family(
            "parley_push_settled", "counter", "Attempts by what became of them.",
            state.settled.map { series, count in
                let reason = Self.label(series.reason)
                return (
                    "_total{provider=\"\(series.provider)\",outcome=\"\(series.outcome)\",reason=\"\(reason)\"}",
                    "\(count)"
                )
            })
        family(
            "parley_push_tokens_dropped", "counter", "Tokens that a provider said are gone.",
            state.dropped.map { ("_total{provider=\"\($0)\"}", "\($1)") })
        family(
            "parley_push_routes_stopped", "gauge", "Apps or push services that are given a rest.",
            state.stopped.map { ("{provider=\"\($0)\"}", "\($1.count)") })
        family(
            "parley_push_delay_seconds", "summary", "From the queueing of a job to its acceptance by the provider.",
            state.delays.flatMap { provider, tally in
                [50, 95, 99].map { share in
                    (
                        "{provider=\"\(provider)\",quantile=\"0.\(share)\"}",
                        "\(Double(tally.percentile(share)) / 1_000_000)"
                    )
                } + [("_count{provider=\"\(provider)\"}", "\(tally.count)")]
            })
        family(
            "parley_push_queue_due", "gauge", "Jobs that are due.",
            state.queue.map { ("{provider=\"\($0.provider)\",lane=\"\($0.lane)\"}", "\($0.due)") })
        family(
            "parley_push_queue_age_seconds", "gauge", "How long the oldest of them has been due.",
            state.queue.map { ("{provider=\"\($0.provider)\",lane=\"\($0.lane)\"}", "\(Double($0.age) / 1000)") })
        family(
            "parley_push_events_behind", "gauge", "Events of the log, at most, of which no jobs were made yet.",
            state.behind.map { [("", "\($0.events)")] } ?? [])
        family(
            "parley_push_events_age_seconds", "gauge", "How long ago the oldest of them was written.",
            state.behind.map { [("", "\(Double($0.age) / 1000)")] } ?? [])
        family(
            "parley_push_log_resets", "counter", "How often push began anew at the end of the log.",
            state.behind.map { [("_total", "\($0.resets)")] } ?? [])
        family(
            "parley_push_events_skipped", "counter", "Events that push passed over, because they failed.",
            state.behind.map { [("_total", "\($0.skipped)")] } ?? [])
        return lines.map { $0 + "\n" }.joined()
    }
}
