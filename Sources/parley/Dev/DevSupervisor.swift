internal import Support

/// Starts the project's Postgres again whenever it dies.
struct DevSupervisor: Sendable {
    let cluster: DevCluster
    let port: Int
    let log: Log

    private static let interval = Duration.milliseconds(250)
    private static let longestPause = Duration.seconds(10)

    /// Works until cancelled; leaves the server as it is then.
    func run() async {
        var pause = Self.interval
        while true {
            do { try await Task.sleep(for: pause) } catch { return }
            guard self.cluster.port == nil else {
                pause = Self.interval
                continue
            }
            do {
                self.log.warning("postgres is gone, starting it again")
                _ = try await self.cluster.start(on: self.port)
                self.log.info("postgres runs again")
                pause = Self.interval
            } catch {
                self.log.error("postgres does not start", [("error", "\(error)")])
                pause = min(Self.longestPause, pause * 2)
            }
        }
    }
}
