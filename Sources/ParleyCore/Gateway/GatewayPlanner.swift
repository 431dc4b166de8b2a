/// Turns a request into a statement, or into the refusal PostgREST would give.
public struct GatewayPlanner: Sendable {
    public var cache: SchemaCache
    /// Most rows in one answer, whatever `limit` says; PostgREST calls it `db-max-rows`.
    public var maxRows: Int

    public init(cache: SchemaCache, maxRows: Int = 1_000) {
        self.cache = cache
        self.maxRows = maxRows
    }

    /// Most query parameters of one request.
    static let maxParameters = 200

    /// Plans a read of a view or a run of a function. - Parameter role: of the caller, to refuse what it may not do.
    public func plan(_ request: GatewayRequest, role: String? = nil) throws(APIError) -> GatewayPlan {
        try request.checkZeroBytes()
        guard request.query.count <= Self.maxParameters else {
            throw .unsupported("A query of more than \(Self.maxParameters) parameters is")
        }
        switch try request.target() {
        case .description: throw .path
        case .relation(let name): return try self.read(name, request, role: role)
        case .function(let name): return try self.command(name, request, role: role)
        }
    }

    /// The answer to a request for the root. - Parameter text: of the `OpenAPIDescription`.
    public func description(_ request: GatewayRequest, _ text: @autoclosure () -> [UInt8]) throws(APIError)
        -> GatewayResponse
    {
        guard request.isRead else { throw .methodOnRoot(request.method) }
        let profiled = try request.checkProfile(self.cache.schema)
        try OpenAPIDescription.checkAccept(request.headers["accept"])
        var headers = [HeaderField("Content-Type", OpenAPIDescription.contentType)]
        if profiled { headers.append(HeaderField("Content-Profile", self.cache.schema)) }
        return GatewayResponse(status: 200, headers: headers, body: request.isHead ? [] : text())
    }

    /// The verbs a path answers to, for `OPTIONS`.
    public func allowedMethods(_ request: GatewayRequest) throws(APIError) -> String {
        switch try request.target() {
        case .description: return "OPTIONS,GET,HEAD"
        case .relation(let name):
            _ = try self.relation(name)
            return "OPTIONS,GET,HEAD"
        case .function(let name):
            guard let overloads = self.cache.functions[name] else {
                return try self.cache.function(name, arguments: [], form: .texts).function.name
            }
            return overloads.contains(where: \.isReadOnly) ? "OPTIONS,GET,HEAD,POST" : "OPTIONS,POST"
        }
    }

    func relation(_ name: String) throws(APIError) -> APIRelation {
        guard let relation = self.cache.relations[name] else {
            let closest = Similarity.closest(to: name, among: self.cache.relations.keys)
            throw .relation(name, schema: self.cache.schema, closest: closest)
        }
        return relation
    }

    private func read(_ name: String, _ request: GatewayRequest, role: String?) throws(APIError) -> GatewayPlan {
        guard request.isRead else { throw .method(request.method, onRelation: name) }
        let profiled = try request.checkProfile(self.cache.schema)
        let mediaType = try MediaType.negotiate(request.headers["accept"])
        let preferences = try RequestPreferences(request.headers["prefer"])
        let query = try ReadQuery(request.query, rangeHeader: request.headers["range"])
        let relation = try self.relation(name)
        try self.cache.check(relation: name, for: role)
        let range = query.range.capped(at: self.maxRows)

        var writer = SQLWriter()
        let clauses = try query.clauses(name, columns: relation.columns, &writer)
        let from = " from \(SQLWriter.identifier(self.cache.schema)).\(SQLWriter.identifier(name)) t"
        let total = preferences.count ? "(select count(*)\(from)\(clauses.condition))" : "null::bigint"
        let page = Self.page(range, &writer)
        let sql =
            "with page as (select \(clauses.select)\(from)\(clauses.condition)\(clauses.order)\(page)) "
            + "select \(Self.aggregate(mediaType, "s.*", isRow: true)), count(*), \(total) from page s"
        return GatewayPlan(
            sql: sql, parameters: writer.parameters, isReadOnly: true, shape: .rows, mediaType: mediaType,
            range: range, preferences: preferences, profile: profiled ? self.cache.schema : nil,
            isHead: request.isHead)
    }

    static func page(_ range: RowRange, _ writer: inout SQLWriter) -> String {
        let limit = range.limit.map { " limit " + writer.parameter(String($0), as: "bigint") } ?? ""
        let offset = range.offset == 0 ? "" : " offset " + writer.parameter(String(range.offset), as: "bigint")
        return limit + offset
    }

    /// The JSON text of all items: rows (written `s.*`, since a column may be called `s` too) or single values.
    static func aggregate(_ mediaType: MediaType, _ item: String, isRow: Bool) -> String {
        let json = isRow ? "row_to_json(\(item))" : "to_json(\(item))"
        let row = mediaType.stripsNulls ? "json_strip_nulls(\(json))" : item
        return mediaType.isObject ? "(json_agg(\(row)) -> 0)::text" : "coalesce(json_agg(\(row)), '[]')::text"
    }
}
