/// The order in which Parley's SQL files are applied, read from `manifest.sql`, which psql follows too.
struct Manifest: Sendable, Equatable {
    struct Migration: Sendable, Equatable {
        var version: Int
        var name: String
        var sha256: String
        var isBreaking: Bool
        var file: String { "migrations/\(self.name).sql" }
    }

    /// In the order of their versions.
    var migrations: [Migration] = []
    /// Paths relative to the folder of the manifest, in the order of application.
    var repeatables: [String] = []

    var newest: Int { self.migrations.last?.version ?? 0 }

    /// - Throws: ``CommandError`` for a line that `scripts/manifest.sh` does not write.
    init(_ text: String) throws(CommandError) {
        var variables: [String: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("--") {
            let words = line.split(separator: " ")
            switch (words.first, words.count) {
            case ("\\set", 3): variables[String(words[1])] = words[2].filter { $0 != "'" }
            case ("\\ir", 2) where words[1] == "apply.sql":
                guard let version = Int(variables["version"] ?? ""), let name = variables["name"],
                    let sha256 = variables["sha256"], let breaking = variables["breaking"]
                else { throw CommandError("manifest.sql: a migration lacks its version, name or sha256") }
                self.migrations.append(
                    Migration(version: version, name: name, sha256: sha256, isBreaking: breaking == "true"))
            // Its check against newer databases is made by the installer.
            case ("\\ir", 2) where words[1] == "newest.sql": break
            case ("\\ir", 2): self.repeatables.append(String(words[1]))
            default: throw CommandError("manifest.sql: the line '\(line)' is not understood")
            }
        }
        guard self.migrations.map(\.version) == self.migrations.map(\.version).sorted(), !self.migrations.isEmpty else {
            throw CommandError("manifest.sql: the migrations are not in order")
        }
    }
}
