internal import Crypto
internal import FoundationEssentials
internal import ParleyCore
internal import Support

/// Ids of users as the log shows them: plain, or as hashes with the salt of the database, which changes and is not kept. A
/// hash is the one that the database's own lines have (`parley.log_id`).
final class LogIDs: Sendable {
    private enum Way: Sendable {
        case plain
        case hashed(salt: [UInt8])
    }

    /// Until the database has said which, nothing is shown.
    private let way = Locked(Way.hashed(salt: randomBytes(32)))

    /// - Parameter salt: nil for plain ids.
    func use(salt: [UInt8]?) { self.way.withLock { $0 = salt.map { .hashed(salt: $0) } ?? .plain } }

    func text(_ id: UUID) -> String {
        switch self.way.withLock({ $0 }) {
        case .plain: return id.lowercaseText
        case .hashed(let salt):
            let bytes = withUnsafeBytes(of: id.uuid) { Array($0) }
            return String(SHA256.hex(salt + bytes).prefix(16))
        }
    }
}
