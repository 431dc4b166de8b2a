internal import ParleyCore
internal import PostgresClient
internal import Support

/// What the users of this worker's sockets look at, as push is to know it.
extension RealtimeService {
    private static let mostLeases = 1000

    /// Writes what is new. One batch at a time: what comes meanwhile is in the next.
    func renewFocus(now: Int64) {
        guard !self.focusIsBusy, self.tailIsLive else { return }
        let leases = self.focus.batch(Self.mostLeases, now: now)
        guard !leases.isEmpty else { return }
        self.focusIsBusy = true
        let list = JSONValue.array(leases.map { .object($0.json) }).serialized()
        let statement = Statement(
            "select parley.renew_push_focus($1::jsonb)", [String(decoding: list, as: UTF8.self)])
        // What fails is not tried again: a client that still looks says so within seconds.
        self.pool.submit(Transaction([statement], timeout: .seconds(5), lane: .upkeep)) { result in
            if case .failure(let error) = result, error.code == .server {
                self.log.warning("what users look at cannot be written", [("sqlstate", error.sqlState ?? "")])
            }
            self.onLoop { $0.focusIsBusy = false }
        }
    }
}

extension FocusTable.Lease {
    /// `{user_id, lease, conversation_id, active}`
    fileprivate var json: JSONObject {
        var object: JSONObject = [
            "user_id": .string(self.focus.user.lowercaseText), "lease": .string(self.id.lowercaseText),
            "active": .bool(self.focus.isActive),
        ]
        object["conversation_id"] = self.focus.conversation.map { .string($0.lowercaseText) }
        return object
    }
}
