internal import FoundationEssentials
internal import PostgresClient
internal import Support

/// Asks the database once a minute how ids are to be shown in logs, and lets old log files go.
struct LogKeeper: Service {
    let name = "logs"
    let pool: PostgresPool
    let ids: LogIDs
    let folder: LogFolder?
    let log: Log
    var pause = Duration.seconds(60)

    func run() async throws {
        while true {
            await self.ask()
            self.folder?.forget()
            try await Task.sleep(for: self.pause)
        }
    }

    func ask() async {
        do throws(PostgresError) {
            let results = try await self.pool.run(
                Transaction(
                    [Statement("select encode(parley.log_id_salt(), 'hex')")], mode: .readOnly, timeout: .seconds(10),
                    lane: .upkeep))
            self.ids.use(salt: results[0].rows.first?.string(0).map(Self.bytes))
        } catch {
            // The last answer stays; at the start ids are hashed.
            guard error.code != .shutdown else { return }
            self.log.warning(
                "how to show ids in logs could not be read",
                [("code", "\(error.code)"), ("sqlstate", error.sqlState ?? "")])
        }
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.utf8.map { $0 > 57 ? $0 - 87 : $0 - 48 }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
