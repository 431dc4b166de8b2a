internal import PostgresClient

/// The database against what the installation recorded of itself.
extension Examination {
    private static let reinstall = "parley migrate, or psql -f sql/install.sql, as the owner"

    /// One finding per difference, with the statement that repairs it.
    func catalog() throws -> [Finding] {
        guard try self.isTrue("select to_regprocedure('parley.catalog_differences()') is not null"),
            try self.isTrue("select to_regclass('parley.expected_object') is not null")
        else {
            return try self.security() + [
                .failure("catalog", "cannot be compared with the installation's", "Run: \(Self.reinstall)")
            ]
        }
        // The worker's login may not; the invariants it can see for itself.
        guard try self.isTrue("select has_table_privilege('parley.expected_object', 'select')") else {
            return try self.security()
        }
        guard try self.isTrue("select exists (select from parley.expected_object)") else {
            return try self.security() + [.failure("catalog", "nothing was recorded", "Run: \(Self.reinstall)")]
        }
        let rows = try self.connection.query("select kind, name, state, remedy from parley.catalog_differences()").rows
        if rows.isEmpty {
            let count = try self.value("select count(*) from parley.expected_object where kind <> 'server'")
            return [.ok("catalog", "\(count) objects and grants are as installed")]
        }
        return rows.map { row in
            let kind = row.string("kind") ?? ""
            let remedy = row.string("remedy") ?? ""
            // Migrations, which make tables and their indexes, are not applied twice.
            let isRepeatable = !["column", "constraint", "index"].contains(kind)
            let advice =
                remedy.isEmpty
                ? "Run: \(Self.reinstall)" : isRepeatable ? "\(remedy) Or run: \(Self.reinstall)" : remedy
            return .failure(kind, "\(row.string("name") ?? ""): \(row.string("state") ?? "")", advice)
        }
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
