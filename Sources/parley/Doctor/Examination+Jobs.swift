internal import PostgresClient

/// Whether somebody does the work that must be done at a time.
extension Examination {
    /// A job may be late by a run of its own and a pause; not by this.
    private static let tolerance = Int64(300)

    func jobs() throws(PostgresError) -> [Finding] {
        guard try self.isTrue("select to_regprocedure('parley.job_states()') is not null") else { return [] }
        guard try self.isTrue("select has_function_privilege('parley.job_states()', 'execute')") else {
            return [.warning("jobs", "this login may not read them", "Run parley doctor as the owner or the worker.")]
        }
        let rows = try self.connection.query(
            """
            select name, enabled, overdue_seconds, failures, last_error_code, exists_as_function
            from parley.job_states()
            """
        ).rows
        guard !rows.isEmpty else {
            return [.failure("jobs", "none", "Insert rows into parley.job as in sql/migrations/0017_seeds.sql")]
        }
        var findings: [Finding] = []
        var overdue: [String] = []
        for row in rows {
            let name = row.string("name") ?? ""
            if row.bool("exists_as_function") != true {
                findings.append(
                    .failure(
                        "job \(name)", "there is no function parley.\(name)()",
                        "Run: parley migrate; or delete from parley.job where name = '\(name)';"))
            } else if row.bool("enabled") != true {
                findings.append(
                    .warning(
                        "job \(name)", "switched off",
                        "Meant so? Otherwise: update parley.job set enabled = true where name = '\(name)';"))
            } else if let failures = row.int64("failures"), failures > 0 {
                findings.append(
                    .failure(
                        "job \(name)", "failed \(failures) times in a row with \(row.string("last_error_code") ?? "")",
                        "See why, as the owner: select parley.\(name)();"))
            } else if row.int64("overdue_seconds") ?? 0 > Self.tolerance {
                overdue.append(name)
            }
        }
        if !overdue.isEmpty {
            findings.append(
                .warning(
                    "jobs", "not run for more than \(Self.tolerance / 60) minutes: \(overdue.joined(separator: ", "))",
                    "Start parley serve, or let pg_cron call parley.run_job for each."))
        } else if findings.isEmpty {
            findings.append(.ok("jobs", "\(rows.count), none is late"))
        }
        return findings
    }

    /// A backup that is restored brings back whom no ledger outside of the database has.
    func erasures() throws(PostgresError) -> [Finding] {
        guard try self.isTrue("select has_table_privilege('parley.erasure', 'select')") else { return [] }
        let forgotten = try self.value(
            "select count(*) from parley.erasure where exported_at is null and requested_at < now() - interval '1 day'")
        guard forgotten != "0" else { return [] }
        return [
            .warning(
                "erasures", "\(forgotten) in no ledger outside of the database",
                "Keep the answer where the backups are not: select parley.erasure_ledger();")
        ]
    }
}
