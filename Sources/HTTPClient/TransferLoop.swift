internal import CCurl
internal import Glibc
internal import Support

/// The thread that drives all transfers of a session through one multi handle.
final class TransferLoop: @unchecked Sendable {
    // Sendable because `multi` is used by the loop's thread only, but for curl_multi_wakeup: "can be called from any
    // thread" (curl_multi_wakeup(3)); everything shared is in `inbox`.
    typealias Completion = @Sendable (Result<HTTPSession.Response, HTTPError>) -> Void

    private struct Inbox {
        var added: [(Transfer, Completion)] = []
        var cancelled: [Transfer] = []
        var underWay = 0
        var bytesUnderWay = 0
        var isStopped = false
        /// The thread has been woken and has not looked yet.
        var isWoken = false
        /// Waking the multi handle is allowed until the thread frees it.
        var hasHandle = true
    }

    private let multi: UnsafeMutableRawPointer
    private let configuration: HTTPConfiguration
    private let inbox = Locked(Inbox())

    init(_ configuration: HTTPConfiguration) {
        guard let multi = curl_multi_init() else { preconditionFailure("libcurl cannot be used") }
        self.multi = multi
        self.configuration = configuration
        for (option, value) in [
            (CURLMOPT_PIPELINING, Int(CURLPIPE_MULTIPLEX)),
            (CURLMOPT_MAX_HOST_CONNECTIONS, configuration.maxConnectionsPerHost),
            (CURLMOPT_MAX_CONCURRENT_STREAMS, configuration.maxStreams),
            (CURLMOPT_MAXCONNECTS, configuration.maxIdleConnections),
        ] {
            // Fails only for options that the library does not know: they are older than the one required.
            precondition(parley_curl_multi_set_long(multi, option, value) == CURLM_OK, "libcurl is too old")
        }
    }

    /// Begins the thread; it holds the loop until `stop`.
    func start() {
        // Signals belong to the main program.
        var everything = sigset_t()
        var before = sigset_t()
        sigfillset(&everything)
        pthread_sigmask(SIG_SETMASK, &everything, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let result = pthread_create(&thread, nil, transferThread, context.toOpaque())
        precondition(result == 0, "no thread can be made")
        pthread_detach(thread)
    }

    /// Any thread. `completion` runs once, on the loop's thread or at once on this one.
    func submit(_ transfer: Transfer, completion: @escaping Completion) {
        let refusal: HTTPError? = self.inbox.withLock { inbox in
            if inbox.isStopped { return HTTPError(.shutdown, "the session is shut down") }
            guard inbox.underWay < self.configuration.maxRequests,
                inbox.bytesUnderWay + transfer.bytes <= self.configuration.maxRequestBytes
            else { return HTTPError(.queueFull, "too many requests are under way") }
            inbox.underWay += 1
            inbox.bytesUnderWay += transfer.bytes
            inbox.added.append((transfer, completion))
            self.wake(&inbox)
            return nil
        }
        if let refusal { completion(.failure(refusal)) }
    }

    /// Any thread.
    func cancel(_ transfer: Transfer) {
        transfer.isCancelled.withLock { $0 = true }
        self.inbox.withLock { inbox in
            guard inbox.hasHandle else { return }
            inbox.cancelled.append(transfer)
            self.wake(&inbox)
        }
    }

    /// Any thread.
    func stop() {
        self.inbox.withLock { inbox in
            inbox.isStopped = true
            self.wake(&inbox)
        }
    }

    /// Inside the lock, so that the handle cannot be freed meanwhile.
    private func wake(_ inbox: inout Inbox) {
        guard inbox.hasHandle, !inbox.isWoken else { return }
        inbox.isWoken = true
        curl_multi_wakeup(self.multi)
    }

    // MARK: - On the thread

    private typealias Active = [UnsafeMutableRawPointer: (Transfer, Completion)]

    fileprivate func run() {
        var active = Active()
        while true {
            let (added, cancelled, isStopped) = self.inbox.withLock { inbox in
                defer {
                    inbox.added = []
                    inbox.cancelled = []
                    inbox.isWoken = false
                }
                return (inbox.added, inbox.cancelled, inbox.isStopped)
            }
            for entry in added {
                curl_multi_add_handle(self.multi, entry.0.handle)
                active[entry.0.handle] = entry
            }
            // Also those that were cancelled before the loop knew them.
            for transfer in cancelled + added.map(\.0).filter({ $0.isCancelled.withLock { $0 } }) {
                guard let (known, completion) = active[transfer.handle], known === transfer else { continue }
                active[transfer.handle] = nil
                self.finish(transfer, completion, .failure(HTTPError(.cancelled, "the request was cancelled")))
            }
            if isStopped { break }
            var running: Int32 = 0
            curl_multi_perform(self.multi, &running)
            self.collect(&active)
            // Returns early for data, for timeouts of transfers and for `wake`.
            curl_multi_poll(self.multi, nil, 0, 60_000, nil)
        }
        for (transfer, completion) in active.values {
            self.finish(transfer, completion, .failure(HTTPError(.shutdown, "the session is shut down")))
        }
        self.inbox.withLock { inbox in
            inbox.hasHandle = false
            inbox.cancelled = []
        }
        curl_multi_cleanup(self.multi)
    }

    /// Hands out the answers of transfers that are over.
    private func collect(_ active: inout Active) {
        var left: Int32 = 0
        while let message = curl_multi_info_read(self.multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
            let result = parley_curl_result(message)
            guard let (transfer, completion) = active.removeValue(forKey: handle) else { continue }
            self.finish(transfer, completion, transfer.outcome(result))
        }
    }

    private func finish(
        _ transfer: Transfer, _ completion: Completion, _ result: Result<HTTPSession.Response, HTTPError>
    ) {
        curl_multi_remove_handle(self.multi, transfer.handle)
        self.inbox.withLock { inbox in
            inbox.underWay -= 1
            inbox.bytesUnderWay -= transfer.bytes
        }
        completion(result)
    }
}

/// The thread's entry. `context` holds one reference to the loop, released here when the thread ends.
private func transferThread(context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    Unmanaged<TransferLoop>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
