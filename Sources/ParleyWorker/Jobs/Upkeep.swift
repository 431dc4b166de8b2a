internal import PostgresClient
internal import Support

/// Calls `parley.maintain()` every minute: partitions ahead of time, the purge of the log, workers that are gone.
///
/// Every worker calls it; in the database one round at a time works and the others return at once. A round that fails
/// is logged and tried again in a minute: there is room for months of such failures before anything stops.
struct Upkeep: Service {
    let name = "upkeep"
    let pool: PostgresPool
    let log: Log
    var period = Duration.seconds(60)

    func run() async throws {
        while true {
            if let error = await self.round() {
                self.log.warning("upkeep failed", [("code", "\(error.code)"), ("sqlstate", error.sqlState ?? "")])
            }
            try await Task.sleep(for: self.period)
        }
    }

    private func round() async -> PostgresError? {
        do throws(PostgresError) {
            _ = try await self.pool.run(Transaction([Statement("select parley.maintain()")], timeout: .seconds(30)))
            return nil
        } catch {
            return error
        }
    }
}
