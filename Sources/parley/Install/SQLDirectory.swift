internal import Glibc
internal import Support

/// The folder with Parley's SQL files, `policies` beside it.
struct SQLDirectory: Sendable {
    let path: String

    /// Looks the files up: `given`, then PARLEY_SQL_DIR, then `../share/parley/sql` beside the program, then `sql` of
    /// the source tree that the program was built in.
    ///
    /// - Throws: ``CommandError`` naming the places looked at.
    static func find(given: String?, environment: [String: String]) throws(CommandError) -> SQLDirectory {
        if let named = given ?? environment["PARLEY_SQL_DIR"] {
            guard let found = SQLDirectory(named) else {
                throw CommandError(
                    "'\(named)' has no install.sql", hint: "--sql-dir names the folder sql of a release.")
            }
            return found
        }
        let places = ReleaseFiles.places(installed: "sql", inSource: "sql")
        for place in places {
            if let found = SQLDirectory(place) { return found }
        }
        throw CommandError(
            "the SQL files are not found; looked in \(places.joined(separator: ", "))",
            hint: "Name the folder with --sql-dir or PARLEY_SQL_DIR.")
    }

    private init?(_ path: String) {
        guard access(path + "/install.sql", R_OK) == 0, access(path + "/manifest.sql", R_OK) == 0 else { return nil }
        self.path = path
    }

    /// The text of a file, its path relative to the folder.
    func read(_ file: String) throws(CommandError) -> String {
        guard let text = FileText.string(of: self.path + "/" + file) else {
            throw CommandError("'\(self.path)/\(file)' cannot be read")
        }
        return text
    }
}
