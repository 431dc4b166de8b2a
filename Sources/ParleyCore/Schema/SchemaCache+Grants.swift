/// What one role may run and read.
public struct APIGrants: Sendable, Equatable {
    public var functions: Set<String>
    public var relations: Set<String>

    public init(functions: Set<String> = [], relations: Set<String> = []) {
        self.functions = functions
        self.relations = relations
    }
}

extension SchemaCache.CatalogQuery {
    /// role, kind (f or r) and name of whatever each of the roles `$2` (separated by commas) may use in schema `$1`.
    public static let grants = """
        select r.rolname, 'f', p.proname
        from pg_namespace n
        join pg_roles r on r.rolname = any (string_to_array($2, ',')) and has_schema_privilege(r.oid, n.oid, 'usage')
        join pg_proc p on p.pronamespace = n.oid and has_function_privilege(r.oid, p.oid, 'execute')
        where n.nspname = $1
        union
        select r.rolname, 'r', c.relname
        from pg_namespace n
        join pg_roles r on r.rolname = any (string_to_array($2, ',')) and has_schema_privilege(r.oid, n.oid, 'usage')
        join pg_class c on c.relnamespace = n.oid and c.relkind in ('v', 'm', 'r', 'p', 'f')
            and (has_table_privilege(r.oid, c.oid, 'select') or has_any_column_privilege(r.oid, c.oid, 'select'))
        where n.nspname = $1
        """
}

extension SchemaCache {
    /// Reads the rows of `CatalogQuery.grants`. - Parameter roles: as asked for; one without rows may do nothing.
    public static func grants(_ rows: [[String?]], roles: [String]) -> [String: APIGrants] {
        var grants: [String: APIGrants] = [:]
        for role in roles { grants[role] = APIGrants() }
        for row in rows {
            guard row.count == 3, let role = row[0], let name = row[2] else { continue }
            if row[1] == "f" {
                grants[role]?.functions.insert(name)
            } else {
                grants[role]?.relations.insert(name)
            }
        }
        return grants
    }

    /// Refuses a function that the role may not run, as Postgres would: its statement is not worth preparing.
    ///
    /// - Parameter role: nil, and one that nothing is known of, is left to Postgres.
    func check(function name: String, for role: String?) throws(APIError) {
        guard let role, let grants = self.grants[role], !grants.functions.contains(name) else { return }
        throw Self.denied("function \(name)", role)
    }

    /// Refuses a relation that the role may not read. - Parameter role: as in `check(function:for:)`.
    func check(relation name: String, for role: String?) throws(APIError) {
        guard let role, let grants = self.grants[role], !grants.relations.contains(name) else { return }
        throw Self.denied("view \(name)", role)
    }

    private static func denied(_ what: String, _ role: String) -> APIError {
        APIError(
            DatabaseFailure(sqlState: "42501", message: "permission denied for \(what)"), authenticated: role != "anon")
    }
}
