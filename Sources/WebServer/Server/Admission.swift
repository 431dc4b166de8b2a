/// Who may connect, and for whom room is kept. No I/O; the clock is passed in.
///
/// A connection is unproven until its handler names the user behind it (``prove(_:key:now:)``). Unproven connections are
/// limited per address, and leave `reserved` places to addresses from which a user was proven lately. Proven connections
/// are limited per user. So whoever holds nothing but a public key takes neither the room of known users nor, from one
/// address, that of other strangers.
struct Admission {
    struct Limits {
        /// Connections at a time.
        var connections: Int
        /// Those of them that unproven connections of unknown addresses must leave free.
        var reserved: Int
        /// Unproven connections of one address; zero for no limit.
        var perAddress: Int
        /// Proven connections of one user; zero for no limit.
        var perKey: Int
    }

    enum Verdict: Equatable {
        case admit
        /// Every place is taken.
        case full
        /// What strangers may have is taken.
        case strangersFull
        /// The address has too many unproven connections.
        case addressFull
    }

    /// One admitted connection, as the limits count it.
    struct Pass: Equatable {
        fileprivate(set) var address: String
        fileprivate(set) var key: String?
    }

    private struct Address {
        var unproven = 0
        var proven = 0
        var knownUntil: Int64 = 0
    }

    /// Milliseconds for which an address stays known after its last proven connection was there.
    static let knownFor: Int64 = 600_000
    /// Addresses without a connection that are remembered as known. The oldest knowledge goes first.
    static let maxRemembered = 8192

    private let limits: Limits
    private var addresses: [String: Address] = [:]
    private var keys: [String: Int] = [:]
    private(set) var connections = 0
    private(set) var unproven = 0
    /// Addresses it holds anything about.
    var remembered: Int { self.addresses.count }

    init(_ limits: Limits) { self.limits = limits }

    /// Whether a connection of this address may come in.
    func verdict(_ address: String, now: Int64) -> Verdict {
        let entry = self.addresses[address]
        if self.limits.perAddress > 0, let entry, entry.unproven >= self.limits.perAddress { return .addressFull }
        if self.connections >= self.limits.connections { return .full }
        let isKnown = entry.map { $0.proven > 0 || $0.knownUntil > now } ?? false
        if !isKnown, self.unproven >= self.limits.connections - self.limits.reserved { return .strangersFull }
        return .admit
    }

    /// Counts a connection that came in. Every pass must be given back once with ``leave(_:now:)``.
    mutating func enter(_ address: String) -> Pass {
        self.addresses[address, default: Address()].unproven += 1
        self.connections += 1
        self.unproven += 1
        return Pass(address: address, key: nil)
    }

    /// Names the user of a connection, or another than before.
    /// - Returns: false when that user has as many connections as are allowed; then nothing changes.
    mutating func prove(_ pass: inout Pass, key: String, now: Int64) -> Bool {
        guard pass.key != key else { return true }
        let count = self.keys[key] ?? 0
        guard self.limits.perKey == 0 || count < self.limits.perKey else { return false }
        self.keys[key] = count + 1
        if let old = pass.key {
            self.release(key: old)
        } else {
            self.addresses[pass.address]?.unproven -= 1
            self.addresses[pass.address]?.proven += 1
            self.unproven -= 1
        }
        self.addresses[pass.address]?.knownUntil = now + Self.knownFor
        pass.key = key
        return true
    }

    mutating func leave(_ pass: Pass, now: Int64) {
        self.connections -= 1
        guard var entry = self.addresses[pass.address] else { return }
        if let key = pass.key {
            entry.proven -= 1
            entry.knownUntil = now + Self.knownFor
            self.release(key: key)
        } else {
            entry.unproven -= 1
            self.unproven -= 1
        }
        let isGone = entry.proven + entry.unproven == 0 && entry.knownUntil <= now
        self.addresses[pass.address] = isGone ? nil : entry
        if self.addresses.count > self.connections + Self.maxRemembered { self.forget(now) }
    }

    private mutating func release(key: String) {
        guard let count = self.keys[key] else { return }
        self.keys[key] = count > 1 ? count - 1 : nil
    }

    /// Forgets half of the addresses that have no connection, the oldest first.
    private mutating func forget(_ now: Int64) {
        let idle = self.addresses.filter { $0.value.proven + $0.value.unproven == 0 }
        let oldest = idle.sorted { $0.value.knownUntil < $1.value.knownUntil }
        for (address, _) in oldest.prefix(max(1, oldest.count / 2)) { self.addresses[address] = nil }
    }
}
