internal import Dispatch
internal import Glibc

/// Delivery of termination signals to tasks.
public final class Signals: Sendable {
    /// One element per SIGTERM or SIGINT received since the object was made; two are kept when nobody reads.
    public let requests: AsyncStream<Void>
    private let sources: Locked<[any DispatchSourceSignal]>

    /// Takes over SIGTERM and SIGINT of the process, and ignores SIGPIPE: a peer that hangs up is an error of one
    /// write, not the end of the program.
    public init() {
        signal(SIGPIPE, SIG_IGN)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(2))
        let queue = DispatchQueue(label: "parley.signals")
        let sources = [SIGTERM, SIGINT].map { number in
            // The default action would end the process before the source is told.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { @Sendable in _ = continuation.yield() }
            source.resume()
            return source
        }
        self.requests = stream
        self.sources = Locked(sources)
    }

    deinit {
        self.sources.withLock { sources in for source in sources { source.cancel() } }
    }
}
