internal import CCurl
internal import Support

/// Fetches over HTTP on one thread of its own.
///
/// Certificates are always verified, redirects are never followed, bodies are not decompressed, and every answer has a
/// limit in bytes and in time.
public final class HTTPSession: Sendable {
    /// What an answer consists of.
    public struct Response: Sendable, Equatable {
        public var status: Int
        public var body: [UInt8]
    }

    /// Requests that may be under way at once; one more fails with `.queueFull`.
    public static let mostRequests = 64

    private let configuration: HTTPConfiguration
    private let loop: TransferLoop

    public init(_ configuration: HTTPConfiguration) {
        self.configuration = configuration
        self.loop = TransferLoop(capacity: Self.mostRequests)
        self.loop.start()
    }

    deinit { self.loop.stop() }

    /// Fetches `url` with GET. Cancelling the task ends the transfer.
    ///
    /// - Throws: ``HTTPError``; any status is an answer, not an error.
    public func get(_ url: String) async throws(HTTPError) -> Response {
        let transfer = try Transfer(url: url, configuration: self.configuration)
        let result: Result<Response, HTTPError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.loop.submit(transfer) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            self.loop.cancel(transfer)
        }
        return try result.get()
    }

    /// Ends all transfers with `.shutdown`, and the thread. Does nothing the second time.
    public func shutdown() { self.loop.stop() }
}
