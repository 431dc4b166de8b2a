extension SchemaCache {
    /// The statements that read the catalog; the name of the schema is parameter `$1` of all but the first. They
    /// must run in one transaction, in this order: the first makes `format_type` qualify every type outside
    /// `pg_catalog`, and keeps the planner, whose estimates for the catalog are far too high, from compiling code.
    public enum CatalogQuery {
        public static let preparation = "select set_config('search_path', '', true), set_config('jit', 'off', true)"

        /// The comment of the schema.
        public static let schema = "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = $1"

        /// name, column, type, comment of the relation, comment of the column; ordered by name and position.
        public static let relations = """
            with recursive \(base)
            select c.relname, a.attname, format_type(base.base, -1), obj_description(c.oid, 'pg_class'),
                col_description(c.oid, a.attnum)
            from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            join base on base.oid = a.atttypid
            where n.nspname = $1 and c.relkind in ('v', 'm', 'r', 'p', 'f')
            order by c.relname, a.attnum
            """

        /// oid, name, volatility, returns set, kind of result (void, value, json, row), then one argument or result
        /// column per row: mode, name, type, has a default, its expression; and the comment of the function. Ordered by
        /// function and position.
        public static let functions = """
            with recursive \(base)
            select p.oid::text, p.proname, p.provolatile::text, p.proretset::text,
                case
                    when p.prorettype = 'void'::regtype then 'void'
                    when p.proargmodes && '{o,b,t}'::"char"[] or r.typtype = 'c' or r.oid = 'record'::regtype then 'row'
                    when r.oid in ('json'::regtype, 'jsonb'::regtype) then 'json'
                    else 'value'
                end,
                a.mode, a.name, a.type, a.has_default::text,
                case when a.has_default then pg_get_function_arg_default(p.oid, a.position::integer) end,
                obj_description(p.oid, 'pg_proc')
            from pg_proc p
            join pg_namespace n on n.oid = p.pronamespace
            join base rb on rb.oid = p.prorettype
            join pg_type r on r.oid = rb.base
            left join lateral (
                select u.position,
                    coalesce(p.proargmodes[u.position], 'i')::text as mode,
                    coalesce(p.proargnames[u.position], '') as name,
                    format_type(base.base, -1) as type,
                    count(*) filter (where coalesce(p.proargmodes[u.position], 'i') in ('i', 'b', 'v'))
                        over (order by u.position) > p.pronargs - p.pronargdefaults as has_default
                from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality u(type, position)
                join base on base.oid = u.type
                union all
                select 1000 + c.attnum, 'c', c.attname, format_type(base.base, -1), false
                from pg_attribute c
                join base on base.oid = c.atttypid
                where r.typtype = 'c' and c.attrelid = r.typrelid and c.attnum > 0 and not c.attisdropped
            ) a on true
            where n.nspname = $1 and p.prokind = 'f'
                and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
            order by p.proname, p.oid, a.position
            """

        /// Every type with the type below all its domains: API roles may lack access to a domain's schema.
        private static let base = """
            base(oid, base) as (
                select oid, oid from pg_type where typtype <> 'd'
                union all
                select d.oid, base.base from pg_type d join base on d.typbasetype = base.oid where d.typtype = 'd'
            )
            """
    }

    /// Builds the cache from the rows of `CatalogQuery.schema`, `.relations` and `.functions`.
    public init(schema: String, comment: String? = nil, relationRows: [[String?]], functionRows: [[String?]]) {
        var relations: [APIRelation] = []
        for row in relationRows {
            guard row.count == 5, let name = row[0], let column = row[1], let type = row[2] else { continue }
            if relations.last?.name != name { relations.append(APIRelation(name, columns: [], comment: row[3])) }
            relations[relations.count - 1].columns.append(APIColumn(column, type, comment: row[4]))
        }
        var functions: [APIFunction] = []
        var start = functionRows.startIndex
        while start < functionRows.endIndex {
            let oid = functionRows[start].first
            let end = functionRows[start...].firstIndex { $0.first != oid } ?? functionRows.endIndex
            if let function = Self.function(functionRows[start..<end]) { functions.append(function) }
            start = end
        }
        self.init(schema: schema, comment: comment, relations: relations, functions: functions)
    }

    private static func function(_ rows: ArraySlice<[String?]>) -> APIFunction? {
        guard let first = rows.first, first.count == 11, let name = first[1], let kind = first[4] else { return nil }
        var parameters: [APIFunction.Parameter] = []
        var columns: [APIColumn] = []
        for row in rows {
            guard row.count == 11, let mode = row[5], let name = row[6], let type = row[7] else { continue }
            if ["i", "b", "v"].contains(mode) {
                parameters.append(
                    APIFunction.Parameter(
                        name, type, hasDefault: row[8] == "true", isVariadic: mode == "v", defaultText: row[9]))
            }
            if ["o", "b", "t", "c"].contains(mode) { columns.append(APIColumn(name, type)) }
        }
        let isSet = first[3] == "true"
        let result: APIFunction.Result =
            switch kind {
            case "void": isSet ? .values : .void
            case "row": isSet ? .rows(columns) : .row(columns)
            default: isSet ? .values : .value(isJSON: kind == "json")
            }
        return APIFunction(name, parameters, result: result, isReadOnly: first[2] != "v", comment: first[10])
    }
}
