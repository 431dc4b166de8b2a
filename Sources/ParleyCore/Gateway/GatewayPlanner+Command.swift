extension GatewayPlanner {
    func command(_ name: String, _ request: GatewayRequest, role: String?) throws(APIError) -> GatewayPlan {
        guard request.isRead || request.method == "POST" else {
            throw .method(request.method, onFunctionAllowing: "OPTIONS,GET,HEAD,POST")
        }
        let profiled = try request.checkProfile(self.cache.schema)
        let mediaType = try MediaType.negotiate(request.headers["accept"])
        let preferences = try RequestPreferences(request.headers["prefer"])
        let (arguments, rest) = try request.isRead ? self.queryArguments(name, request) : Self.bodyArguments(request)
        let choice = try self.cache.function(name, arguments: arguments.names, form: arguments.form)
        let function = choice.function
        guard function.isReadOnly || !request.isRead else {
            throw .method(
                request.method, onFunctionAllowing: "OPTIONS,POST",
                details: "\(self.cache.schema).\(name) may change data: call it with POST")
        }
        try self.cache.check(function: function.name, for: role)
        try arguments.check(for: choice)
        let query = try ReadQuery(rest, rangeHeader: request.isRead ? request.headers["range"] : nil)
        if !function.result.isSet, !query.isPlain {
            throw .unsupported("Shaping the result of a function that does not return a set of rows is")
        }
        if mediaType.isObject, function.result.isSet, !function.isReadOnly {
            // Whether there is exactly one row is known only when the change is made.
            throw .mediaTypes([mediaType.contentType])
        }

        var writer = SQLWriter()
        let invocation = Invocation(choice, arguments, schema: self.cache.schema, &writer)
        var plan = GatewayPlan(
            sql: "", parameters: [], isReadOnly: function.isReadOnly, shape: .value, mediaType: mediaType,
            range: RowRange(), preferences: preferences, profile: profiled ? self.cache.schema : nil,
            isHead: request.isHead)
        if function.result.isSet {
            plan.shape = .rows
            plan.range = query.range.capped(at: self.maxRows)
            plan.sql = try self.set(invocation, query, plan, &writer)
        } else {
            plan.shape = function.result == .void ? .void : .value
            plan.sql = invocation.single(stripsNulls: mediaType.stripsNulls)
        }
        plan.parameters = writer.parameters
        if !function.isReadOnly { plan.conversation = arguments.conversation }
        return plan
    }

    /// A set: the function runs once, then its rows are filtered, ordered and paged.
    private func set(
        _ invocation: Invocation, _ query: ReadQuery, _ plan: GatewayPlan, _ writer: inout SQLWriter
    ) throws(APIError) -> String {
        var columns: [APIColumn] = []
        if case .rows(let all) = invocation.function.result { columns = all }
        let (source, item) = invocation.set
        let clauses = try query.clauses(invocation.function.name, columns: columns, &writer)
        let total = plan.preferences.count ? "(select count(*) from result t\(clauses.condition))" : "null::bigint"
        let page = Self.page(plan.range, &writer)
        return "with result as materialized (\(source)), "
            + "page as (select \(clauses.select) from result t\(clauses.condition)\(clauses.order)\(page)) "
            + "select \(Self.aggregate(plan.mediaType, item, isRow: !columns.isEmpty)), count(*), \(total) from page s"
    }

    /// Divides a query into arguments (names of parameters, and values that are no filters) and the rest.
    private func queryArguments(
        _ name: String, _ request: GatewayRequest
    ) throws(APIError) -> (ArgumentList, rest: [GatewayRequest.Parameter]) {
        let names = Set((self.cache.functions[name] ?? []).flatMap { $0.parameters.map(\.name) })
        var arguments: [(name: String, text: String)] = []
        var rest: [GatewayRequest.Parameter] = []
        for parameter in request.query {
            let isArgument =
                !ReadQuery.isReserved(parameter.name)
                && (names.contains(parameter.name) || !QueryFilter.looksLikeFilter(parameter.value))
            guard isArgument else {
                rest.append(parameter)
                continue
            }
            if arguments.contains(where: { $0.name == parameter.name }) { throw .repeated(parameter.name) }
            arguments.append((parameter.name, parameter.value))
        }
        return (.texts(arguments), rest)
    }

    private static func bodyArguments(
        _ request: GatewayRequest
    ) throws(APIError) -> (ArgumentList, rest: [GatewayRequest.Parameter]) {
        guard MediaType.isJSON(contentType: request.headers["content-type"]) else {
            throw .body("Content-Type not acceptable: \(request.headers["content-type"] ?? "")")
        }
        let body = request.body.isEmpty ? Array("{}".utf8) : request.body
        return (.object(try CommandArguments(json: body)), request.query)
    }
}
