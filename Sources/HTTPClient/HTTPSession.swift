internal import CCurl
internal import Support

/// Sends requests over HTTP on one thread of its own, many at once.
///
/// Certificates are always verified, redirects are never followed, bodies are not decompressed, and every answer has a
/// limit in bytes and in time. A server that offers HTTP/2 is sent many requests on one connection
/// (`HTTPConfiguration.maxConnectionsPerHost`).
public final class HTTPSession: Sendable {
    /// What to send.
    public struct Request: Sendable {
        public enum Method: String, Sendable {
            case get = "GET"
            case post = "POST"
        }

        public var method: Method
        public var url: String
        public var headers: [(name: String, value: String)]
        public var body: [UInt8]
        /// On a connection of its own, not one that is there.
        public var freshConnection: Bool

        public init(
            _ method: Method, _ url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
            freshConnection: Bool = false
        ) {
            self.method = method
            self.url = url
            self.headers = headers
            self.body = body
            self.freshConnection = freshConnection
        }

        var bytes: Int {
            self.headers.reduce(self.url.utf8.count + self.body.count) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        }
    }

    /// What an answer consists of.
    public struct Response: Sendable {
        public var status: Int
        /// In the order received; names in lower case.
        public var headers: [(name: String, value: String)] = []
        public var body: [UInt8]
        /// 1 or 2.
        public var httpVersion = 1

        /// The first value of the header; its name in lower case.
        public func header(_ name: String) -> String? { self.headers.first { $0.name == name }?.value }
    }

    private let configuration: HTTPConfiguration
    private let loop: TransferLoop

    public init(_ configuration: HTTPConfiguration) {
        self.configuration = configuration
        self.loop = TransferLoop(configuration)
        self.loop.start()
    }

    deinit { self.loop.stop() }

    /// Fetches `url` with GET. Cancelling the task ends the transfer.
    ///
    /// - Throws: ``HTTPError``; any status is an answer, not an error.
    public func get(_ url: String) async throws(HTTPError) -> Response { try await self.send(Request(.get, url)) }

    /// Sends a request and waits for its answer. Cancelling the task ends the transfer.
    ///
    /// - Throws: ``HTTPError``; any status is an answer, not an error.
    public func send(_ request: Request) async throws(HTTPError) -> Response {
        let transfer = try Transfer(request, configuration: self.configuration)
        // Through a lock, not through the continuation: ThreadSanitizer cannot see how an early result is handed over.
        let answer = Locked(Result<Response, HTTPError>?.none)
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                self.loop.submit(transfer) { result in
                    answer.withLock { $0 = result }
                    continuation.resume()
                }
            }
        } onCancel: {
            self.loop.cancel(transfer)
        }
        guard let result = answer.withLock({ $0 }) else { preconditionFailure("resumed without an answer") }
        return try result.get()
    }

    /// Ends all transfers with `.shutdown`, and the thread. Does nothing the second time.
    public func shutdown() { self.loop.stop() }
}
