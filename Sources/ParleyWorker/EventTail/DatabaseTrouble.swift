internal import PostgresClient

/// Why the log of a database cannot be read, and what to do about it, in the words of `parley doctor`. Constant phrases:
/// they are shown to whoever asks for the worker's health.
struct DatabaseTrouble: Sendable, Equatable {
    var state: String
    var advice: String

    init(_ state: String, _ advice: String) {
        self.state = state
        self.advice = advice
    }

    init(_ error: PostgresError) {
        switch error.code {
        case .server: self = Self.refusal(error.sqlState ?? "")
        case .connectFailed where error.sqlState == "28P01" || error.sqlState == "28000":
            self.init("the database refuses this login", "Look at the user and password of --database-url.")
        case .connectFailed where error.sqlState == "3D000":
            self.init("the database does not exist", "Look at the name at the end of --database-url.")
        case .connectFailed:
            self.init(
                "the database cannot be reached", "Look at the host and port of --database-url, and at its server.")
        case .timeout: self.init("the database does not answer in time", "Run: parley doctor")
        default: self.init("the connection to the database was lost", "Look at the log of the database's server.")
        }
    }

    static let readOnly = DatabaseTrouble(
        "the database is read-only, or a standby",
        "Give parley serve the primary; if this is it: alter database ... set default_transaction_read_only = off")

    private static func refusal(_ sqlState: String) -> DatabaseTrouble {
        switch sqlState {
        case "3F000":
            DatabaseTrouble(
                "Parley is not installed in this database",
                "Run: parley migrate --database-url <url of the owner>, or: psql -d <the same> -f sql/install.sql")
        case "42883", "42P01", "42703":
            DatabaseTrouble("the installation is older than this program", "Run: parley migrate")
        case "42501":
            DatabaseTrouble(
                "this login may not read the log: it is not a member of parley_worker, or that role lacks its grants",
                "grant parley_worker to <this login>; if it is one, run: parley migrate")
        case "25006": Self.readOnly
        case LogReader.workerIsTooOld:
            DatabaseTrouble("the installation is not for this worker", "Upgrade the worker.")
        case _ where sqlState.hasPrefix("53"):
            DatabaseTrouble(
                "the database has no room (connections, memory or disk)", "Look at the log of the database's server.")
        case _ where sqlState.hasPrefix("57"):
            DatabaseTrouble("the database is starting or shutting down", "Wait, or look at the log of its server.")
        default: DatabaseTrouble("the log of the database cannot be read", "Run: parley doctor")
        }
    }
}
