internal import Support
internal import Synchronization

/// Answers one request, once, from any thread, now or later.
///
/// A second answer, and an answer after the client has left, are ignored. When the last reference goes away without
/// an answer, the client gets a 500: no request hangs because somebody forgot it.
public final class HTTPResponder: Sendable {
    private let loop: EventLoop
    private let transit: AnswersInTransit
    private let answered = Atomic<Bool>(false)
    private let answer: @Sendable (HTTPResponse) -> Void
    private let prove: @Sendable (String) -> Bool

    private enum Client {
        case waits((@Sendable () -> Void)?)
        case left
    }
    private let client = Locked(Client.waits(nil))

    /// - Parameters:
    ///   - answer: called at most once, on the loop's thread.
    ///   - attribute: called on the loop's thread.
    init(
        loop: EventLoop, transit: AnswersInTransit, answer: @escaping @Sendable (HTTPResponse) -> Void,
        attribute: @escaping @Sendable (String) -> Bool
    ) {
        self.loop = loop
        self.transit = transit
        self.answer = answer
        self.prove = attribute
    }

    /// Names the user behind the connection that the request came on: it no longer counts against its address, which is
    /// known from now on. To be called once the user is verified; the last one named counts. Loop thread only.
    /// - Returns: false when this user has as many connections as are allowed; then nothing changes.
    @discardableResult
    public func attribute(to key: String) -> Bool { self.prove(key) }

    /// Sends the response. Any thread; only the first call counts.
    public func respond(_ response: HTTPResponse) {
        guard !self.answered.exchange(true, ordering: .relaxed) else { return }
        if self.loop.isCurrent {
            self.answer(response)
        } else {
            let answer = self.answer
            let transit = self.transit
            let bytes = response.body.count
            // The loop is behind: what waits for it is held, too.
            guard transit.enter(bytes) else { return self.loop.execute { answer(Self.crowded.response) } }
            self.loop.execute {
                transit.leave(bytes)
                answer(response)
            }
        }
    }

    private static let crowded = HTTPFailure(503, "Too many answers wait for their readers.", retryAfter: 5)

    /// Calls `body` once if the client leaves before the answer: at once if it has left, else on the loop. The last body
    /// counts.
    public func whenAbandoned(_ body: @escaping @Sendable () -> Void) {
        let hasLeft = self.client.withLock { client in
            if case .left = client { return true }
            client = .waits(body)
            return false
        }
        if hasLeft { body() }
    }

    /// The client has left.
    func abandon() {
        let body = self.client.withLock { client -> (@Sendable () -> Void)? in
            defer { client = .left }
            if case .waits(let body) = client { return body }
            return nil
        }
        if !self.answered.load(ordering: .relaxed) { body?() }
    }

    deinit {
        guard !self.answered.load(ordering: .relaxed) else { return }
        self.respond(ResponseEncoder.failure(500, "The request was dropped without an answer."))
    }
}
