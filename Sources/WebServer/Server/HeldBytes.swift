/// What all answers and sockets of a server hold: unsent answers and frames, unfinished requests and messages.
///
/// A frame that waits for many sockets counts once. Policy, for the total:
/// - While more is held than the ceiling, new requests and upgrades are answered 503 with Retry-After before their
///   handler sees them, and bodies are refused before they are read. The paths always served are not.
/// - An answer that would lift the total over the ceiling, or the answers of one address over half of it, is answered 503
///   instead. Small answers are always given: refusing them would cost what giving them costs.
/// - To make room the server closes connections, the ones that hold most first: those whose peer has moved nothing for
///   `stallTimeout`, then WebSockets and uploads. Sockets are closed with 1013, or cut when the frame under way holds them up;
///   answers and uploads are cut.
struct HeldBytes {
    /// Answers up to here are always given.
    static let smallAnswer = 64 * 1024
    /// Connections that hold less are not worth closing.
    static let worthClosing = 64 * 1024

    let ceiling: Int
    private(set) var total = 0

    init(ceiling: Int) { self.ceiling = ceiling }

    mutating func add(_ bytes: Int) { self.total += bytes }

    var isOver: Bool { self.total > self.ceiling }
    func hasRoom(for bytes: Int) -> Bool { self.total + bytes <= self.ceiling }

    /// What relief goes down to, so that it is not due again at once.
    var relieved: Int { self.ceiling - self.ceiling / 8 }

    /// One connection as relief looks at it.
    struct Holder<Subject> {
        var subject: Subject
        var bytes: Int
        var isStalled: Bool
        /// An answer whose reader moves is not closed for others.
        var isAnswer: Bool
    }

    /// Which holders are to be closed, and in which order, until enough is free.
    static func victims<Subject>(_ holders: [Holder<Subject>]) -> [Subject] {
        holders.filter { $0.bytes >= Self.worthClosing && ($0.isStalled || !$0.isAnswer) }
            .sorted { $0.isStalled != $1.isStalled ? $0.isStalled : $0.bytes > $1.bytes }
            .map(\.subject)
    }
}
