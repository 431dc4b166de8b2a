internal import Support
internal import WebServer

/// The sockets as a service: serving needs no task of its own, draining closes them evenly.
struct WebService: Service {
    let name = "web"
    let server: WebServer
    let realtime: RealtimeService
    let drainTime: Duration

    func run() async throws {
        // Ends when cancelled: what serves is the event loop.
        while true { try await Task.sleep(for: .seconds(3600)) }
    }

    func drain() async {
        self.server.stopAccepting()
        await self.realtime.drain(over: self.drainTime / 2, atMost: self.drainTime)
    }
}
