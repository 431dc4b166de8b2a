internal import PostgresClient

/// The database against what the installation recorded of itself.
extension Examination {
    /// One finding per kind of difference, with what repairs it. Some few have a line of their own and their statement.
    func catalog() throws -> [Finding] {
        let again = try self.reinstall()
        guard try self.isTrue("select to_regprocedure('parley.catalog_differences()') is not null"),
            try self.isTrue("select to_regclass('parley.expected_object') is not null")
        else {
            return try self.security() + [
                .failure("catalog", "cannot be compared with the installation's", "Run: \(again)")
            ]
        }
        // The worker's login may not; the invariants it can see for itself.
        guard try self.isTrue("select has_table_privilege('parley.expected_object', 'select')") else {
            return try self.security()
        }
        guard try self.isTrue("select exists (select from parley.expected_object)") else {
            return try self.security() + [.failure("catalog", "nothing was recorded", "Run: \(again)")]
        }
        let found = try self.connection.query("select kind, name, state, remedy from parley.catalog_differences()").rows
        // Another major version words definitions otherwise.
        var findings: [Finding] = found.filter { $0.string("kind") == "server" }.map {
            .warning("catalog", $0.string("state") ?? "", "Once after the upgrade of the server, run: \(again)")
        }
        let rows = found.filter { $0.string("kind") != "server" }
        if rows.isEmpty {
            let count = try self.value("select count(*) from parley.expected_object where kind <> 'server'")
            return findings + [.ok("catalog", "\(count) objects and grants are as installed")]
        }
        let kinds = Dictionary(grouping: rows) { $0.string("kind") ?? "" }
        for (kind, rows) in kinds.sorted(by: { $0.key < $1.key }) {
            let states = rows.map { "\($0.string("name") ?? ""): \($0.string("state") ?? "")" }
            let remedies = rows.map { $0.string("remedy") ?? "" }
            // Migrations, which make tables and their indexes, are not applied twice.
            let isRepeatable = !["column", "constraint", "index"].contains(kind)
            func add(_ state: String, _ statements: String) {
                let advice =
                    kind == "owner"
                    ? Self.reown(again)
                    : !isRepeatable
                        ? statements : statements.isEmpty ? "Run: \(again)" : "\(statements) Or run: \(again)"
                // A comment hurts nobody.
                findings.append(
                    Finding(level: kind == "comment" ? .warning : .failure, subject: kind, state: state, advice: advice)
                )
            }
            if rows.count <= 3 {
                for (state, remedy) in zip(states, remedies) { add(state, remedy) }
            } else {
                let each = "each statement of: select remedy from parley.catalog_differences() where kind = '\(kind)';"
                add(
                    "\(rows.count) are not as installed: \(states.prefix(3).joined(separator: "; ")); ...",
                    kind == "column" ? "Restore them from a backup." : isRepeatable ? "" : "Run \(each)")
            }
        }
        return findings
    }

    /// Rows without which nothing works. What the deployment writes into them is its own affair.
    func seeds() throws -> [Finding] {
        guard try self.isTrue("select has_table_privilege('parley.migration', 'select')") else { return [] }
        let advice = "Installed once and yours since: insert rows as in sql/migrations/0017_seeds.sql"
        var findings: [Finding] = []
        for table in ["setting", "tier", "message_type", "log_state", "secret"]
        where try self.isTrue("select to_regclass('parley.' || $1) is not null", [table]) {
            if try self.isTrue("select not exists (select from parley.\(table))") {
                findings.append(.failure("rows of \(table)", "none", advice))
            }
        }
        let tier = try self.value("select value from parley.setting where name = 'default_tier'")
        if !tier.isEmpty, try self.isTrue("select not exists (select from parley.tier where name = $1)", [tier]) {
            findings.append(
                .failure(
                    "default_tier", "\(tier), which is no tier",
                    "Insert it into parley.tier, or: update parley.setting set value = ... where name = 'default_tier';"
                ))
        }
        return findings
    }
}
