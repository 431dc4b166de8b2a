internal import FoundationEssentials
internal import ParleyCore
internal import WebServer

/// A presence that is not shown because nothing comes from its socket.
struct AwayPresence {
    var topic: Topic
    var user: UUID?
    var key: String
    var fields: JSONObject
}

/// A client that vanishes without a word is present no longer than half a minute, though its socket is kept for longer: the
/// network may come back, and a socket that is closed costs a join.
extension RealtimeService {
    /// Takes away the presences of sockets that have been silent for too long, and shows those that are heard again.
    func watchPresences() {
        for id in Array(self.tracked.keys) where self.isSilent(id) { self.away[id] = self.endPresence(id) }
        for (id, presence) in self.away where !self.isSilent(id) {
            self.away[id] = nil
            let action = self.presence[presence.topic, default: PresenceTable()].track(
                member: id.memberID, user: presence.user, key: presence.key, fields: presence.fields,
                ref: self.presenceRefs.next())
            // Where others have taken its room meanwhile, it is shown when the client tracks again.
            guard case .changed(let diff) = action else { continue }
            self.tracked[id] = presence.topic
            self.send(diff, of: presence.user, to: presence.topic)
        }
    }

    private func isSilent(_ id: ChannelID) -> Bool {
        self.connections[id.slot].map { $0.socket.silence >= self.configuration.presenceSilence } ?? false
    }
}
