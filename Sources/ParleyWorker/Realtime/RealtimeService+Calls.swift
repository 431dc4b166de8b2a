internal import ParleyCore
internal import PostgresClient
internal import Support
internal import WebServer

extension RealtimeService {
    /// Runs a call when those before it, of the same socket and conversation, are done: so messages sent rapidly get
    /// their numbers in the order they were sent. What waits is bounded by the session.
    func call(_ call: DatabaseCall, for connection: SocketConnection) {
        guard self.metrics.calls < self.configuration.maxCalls else {
            let overload = PostgresError(.queueFull, message: "too many calls are waiting")
            let actions = connection.session.callFinished(
                call.reply, isError: true, response: CallQuery.response(overload))
            self.metrics.callsFailed += 1
            return self.perform(actions, for: connection)
        }
        let key = CallKey(socket: connection.socket.id, slot: connection.slot, conversation: call.conversation)
        self.metrics.calls += 1
        if self.waitingCalls[key]?.append(call) == nil {
            self.waitingCalls[key] = []
            self.submit(call, key)
        }
    }

    private func submit(_ call: DatabaseCall, _ key: CallKey) {
        let transaction = CallQuery.transaction(
            call, timeout: self.configuration.callTimeout, lockTimeout: self.configuration.lockTimeout)
        self.pool.submit(transaction) { result in
            self.onLoop { $0.finished(call, key, result) }
        }
    }

    private func finished(_ call: DatabaseCall, _ key: CallKey, _ result: Result<[ResultSet], PostgresError>) {
        self.metrics.calls -= 1
        // A socket that closed leaves its accepted calls to be finished; nobody is told.
        if let connection = self.connections[key.slot], connection.socket.id == key.socket {
            let actions: [SessionAction]
            switch result {
            case .success(let results):
                actions = connection.session.callFinished(
                    call.reply, isError: false, response: CallQuery.response(results, call.function))
            case .failure(let error):
                actions = connection.session.callFinished(
                    call.reply, isError: true, response: CallQuery.response(error))
            }
            self.perform(actions, for: connection)
        }
        if case .failure(let error) = result {
            self.metrics.callsFailed += 1
            if error.code != .server {
                self.log.warning("a call from a socket failed", [("code", "\(error.code)")])
            }
        }
        guard let waiting = self.waitingCalls[key], let next = waiting.first else {
            self.waitingCalls[key] = nil
            return
        }
        self.waitingCalls[key]?.removeFirst()
        self.submit(next, key)
    }
}
