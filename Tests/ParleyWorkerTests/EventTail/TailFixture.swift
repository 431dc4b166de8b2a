import FoundationEssentials
import ParleyCore
import ParleyWorker
import PostgresClient
import PostgresTestKit
import Support

/// A running tail and everything it delivered.
final class TailProbe: Sendable {
    struct Record: Sendable {
        var events: [LogEvent] = []
        var cursors: [LogCursor] = []
        var states: [TailState] = []
        var epochChanges = 0
        var delivering = 0
        var overlaps = 0
    }

    private let record = Locked(Record())
    private let task: Task<Void, any Error>
    let name: String

    init(
        _ configuration: PostgresConfiguration, name: String = TestDatabase.uniqueName("tail"), pollOnly: Bool = false,
        policy: TailPolicy = TailPolicy(), nudge: PostgresConnection.Nudge = .init(), deliveryTakes: Duration = .zero
    ) {
        self.name = name
        let record = self.record
        let tail = EventTail(
            configuration, workerName: name, version: "test", pollOnly: pollOnly, policy: policy, nudge: nudge,
            log: Log(label: "test", sink: { _ in }),
            deliver: { batch in
                record.withLock {
                    $0.delivering += 1
                    $0.overlaps += $0.delivering > 1 ? 1 : 0
                }
                if deliveryTakes > .zero { try? await Task.sleep(for: deliveryTakes) }
                record.withLock {
                    $0.events += batch.events
                    $0.cursors.append(batch.cursor)
                    $0.delivering -= 1
                }
            }, epochChanged: { record.withLock { $0.epochChanges += 1 } },
            state: { state in record.withLock { $0.states.append(state) } })
        self.task = Task { try await tail.run() }
    }

    var seen: Record { self.record.withLock { $0 } }
    var state: TailState? { self.seen.states.last }

    func events(of conversations: Set<UUID>) -> [LogEvent] {
        self.seen.events.filter { $0.conversationID.map { conversations.contains($0) } ?? false }
    }

    /// Waits until it reads the log.
    func isLive() async throws -> Bool {
        try await eventually { self.seen.cursors.count > 0 && self.state != .disconnected }
    }

    func stop() async throws {
        self.task.cancel()
        try await self.task.value
    }
}

/// Writes events as the functions of the schema do.
struct LogWriter: Sendable {
    let pool: PostgresPool
    let conversations: [UUID]

    init(
        _ url: String, conversations: Int, size: Int = 24, committed: @escaping @Sendable () -> Void = {}
    ) async throws {
        self.pool = PostgresPool(
            PostgresConfiguration(url: url, connectionWait: .seconds(30)), size: size, maxQueued: 10_000,
            log: Log(label: "test", sink: { _ in }), committed: committed)
        self.conversations = (0..<conversations).map { _ in UUID() }
        _ = try await self.pool.run(
            Transaction(
                self.conversations.map {
                    Statement("insert into parley.conversation (id) values ($1)", [$0.uuidString])
                }))
    }

    static func append(_ conversation: UUID) -> Statement {
        Statement(
            "select parley.append_event($1, 'poll:updated', null, null, null, null, '{}')", [conversation.uuidString])
    }

    /// One event, its transaction held open for a while, committed or not.
    func write(to conversation: UUID, hold: Duration = .zero, rollback: Bool = false) async throws {
        let seconds = Double(hold.components.attoseconds) / 1e18 + Double(hold.components.seconds)
        var statements = [Self.append(conversation)]
        if seconds > 0 { statements.append(Statement("select pg_sleep(\(seconds))")) }
        if rollback { statements.append(Statement("select 1 / $1::int", ["0"])) }
        do throws(PostgresError) {
            _ = try await self.pool.run(Transaction(statements, timeout: .seconds(60), alone: true))
        } catch {
            guard rollback, error.sqlState == "22012" else { throw error }
        }
    }

    /// What the log holds of these conversations, in its order.
    func committed() async throws -> [LogPoint] {
        let ids = "{" + self.conversations.map(\.uuidString).joined(separator: ",") + "}"
        let sql = "select conversation_id, event_seq from parley.event where conversation_id = any ($1) order by 1, 2"
        return try await self.pool.run(Transaction([Statement(sql, [ids])], timeout: .seconds(30)))[0].rows.compactMap {
            guard let conversation = $0.uuid(0), let seq = $0.int64(1) else { return nil }
            return LogPoint(conversation: conversation, seq: seq)
        }
    }
}

struct LogPoint: Hashable, Sendable {
    let conversation: UUID
    let seq: Int64
}

/// What is wrong with what a tail delivered, given what the log holds: nothing, hopefully.
func faults(in events: [LogEvent], committed: [LogPoint]) -> [String] {
    var faults: [String] = []
    var last: [UUID: Int64] = [:]
    var seen: Set<LogPoint> = []
    for event in events {
        guard let conversation = event.conversationID, let seq = event.eventSeq else { continue }
        if !seen.insert(LogPoint(conversation: conversation, seq: seq)).inserted { faults.append("twice: \(seq)") }
        if seq != (last[conversation] ?? 0) + 1 { faults.append("\(seq) after \(last[conversation] ?? 0)") }
        last[conversation] = seq
    }
    let expected = Set(committed)
    faults += expected.subtracting(seen).map { "lost: \($0.seq) of \($0.conversation)" }
    faults += seen.subtracting(expected).map { "phantom: \($0.seq) of \($0.conversation)" }
    return faults
}
