extension GatewayPlanner {
    /// The arguments of a call, as they came.
    private enum Arguments {
        /// `POST`: the names, and the whole object.
        case object(Set<String>, text: String)
        /// `GET` and `HEAD`.
        case query([GatewayRequest.Parameter])

        var names: Set<String> {
            switch self {
            case .object(let names, _): names
            case .query(let parameters): Set(parameters.map(\.name))
            }
        }
        /// What is given as `conversation_id`.
        var conversation: String? {
            switch self {
            case .object(_, let text):
                let found = try? RawJSON.pick(["conversation_id"], from: Array(text.utf8))
                return found?[0]?.string?.lowercased()
            case .query(let parameters): return parameters.first { $0.name == "conversation_id" }?.value.lowercased()
            }
        }
        var form: SchemaCache.CallForm {
            switch self {
            case .object: .body
            case .query: .query
            }
        }
    }

    /// Deepest nesting of a body. Postgres' own parser recurses; messages need a handful of levels.
    static let maxDepth = 64
    /// Postgres' own limit for the arguments of a function.
    static let maxArguments = 100

    func call(_ name: String, _ request: GatewayRequest) throws(GatewayError) -> GatewayPlan {
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
        try Self.check(arguments, of: choice)
        let query = try ReadQuery(rest, rangeHeader: request.isRead ? request.headers["range"] : nil)
        if !function.result.isSet, !query.isPlain {
            throw .unsupported("Shaping the result of a function that does not return a set of rows is")
        }
        if mediaType.isObject, function.result.isSet, !function.isReadOnly {
            // Whether there is exactly one row is known only when the change is made.
            throw .mediaTypes([mediaType.contentType])
        }

        var writer = SQLWriter()
        let invocation = self.invocation(choice, arguments, &writer)
        var plan = GatewayPlan(
            sql: "", parameters: [], isReadOnly: function.isReadOnly, shape: .value, mediaType: mediaType,
            range: RowRange(), preferences: preferences, profile: profiled ? self.cache.schema : nil,
            isHead: request.isHead)
        switch function.result {
        case .void:
            plan.shape = .void
            plan.sql = "select \(invocation.call)\(invocation.from)"
        case .value(let isJSON):
            let value = isJSON && !mediaType.stripsNulls ? invocation.call : "to_json(\(invocation.call))"
            let stripped = mediaType.stripsNulls ? "json_strip_nulls(\(value))" : value
            plan.sql = "select (\(stripped))::text\(invocation.from)"
        case .row:
            let row = mediaType.stripsNulls ? "json_strip_nulls(row_to_json(s.*))" : "row_to_json(s.*)"
            plan.sql = "select \(row)::text from (select t.*\(invocation.rows)) s"
        case .values, .rows:
            plan.shape = .rows
            plan.range = query.range.capped(at: self.maxRows)
            plan.sql = try self.set(function, query, plan, invocation, &writer)
        }
        plan.parameters = writer.parameters
        if !function.isReadOnly { plan.conversation = arguments.conversation }
        return plan
    }

    /// A set: called once, then filtered, ordered and paged.
    private func set(
        _ function: APIFunction, _ query: ReadQuery, _ plan: GatewayPlan, _ invocation: Invocation,
        _ writer: inout SQLWriter
    ) throws(GatewayError) -> String {
        var columns: [APIColumn] = []
        var source = "select \(invocation.call) as value\(invocation.from)"
        var item = "s.value"
        if case .rows(let all) = function.result {
            columns = all
            source = "select t.*\(invocation.rows)"
            item = "s.*"
        }
        let clauses = try query.clauses(function.name, columns: columns, &writer)
        let total = plan.preferences.count ? "(select count(*) from call t\(clauses.condition))" : "null::bigint"
        let page = Self.page(plan.range, &writer)
        return "with call as materialized (\(source)), "
            + "page as (select \(clauses.select) from call t\(clauses.condition)\(clauses.order)\(page)) "
            + "select \(Self.aggregate(plan.mediaType, item, isRow: !columns.isEmpty)), count(*), \(total) from page s"
    }

    /// The call itself, and where its arguments come from.
    private struct Invocation {
        var call: String
        /// ` from ...`, or nothing.
        var from: String
        /// ` from ...` with the function's rows as `t`.
        var rows: String
    }

    private func invocation(
        _ choice: SchemaCache.Choice, _ arguments: Arguments, _ writer: inout SQLWriter
    ) -> Invocation {
        let function = choice.function
        let name = SQLWriter.identifier(self.cache.schema) + "." + SQLWriter.identifier(function.name)
        var from = ""
        var given: [String] = []
        switch arguments {
        case .object(_, let text) where choice.takesWholeBody:
            given = [writer.parameter(text, as: function.parameters[0].type)]
        case .object(let names, let text):
            let parameters = function.parameters.filter { names.contains($0.name) }
            let definitions = parameters.map { SQLWriter.identifier($0.name) + " " + $0.type }
            if !parameters.isEmpty {
                from =
                    " from json_to_record(\(writer.parameter(text, as: "json"))) a("
                    + definitions.joined(separator: ", ") + ")"
            }
            given = parameters.map { Self.argument($0, "a." + SQLWriter.identifier($0.name)) }
        case .query(let values):
            for parameter in function.parameters {
                guard let value = values.first(where: { $0.name == parameter.name }) else { continue }
                given.append(Self.argument(parameter, writer.parameter(value.value, as: parameter.type)))
            }
        }
        let call = "\(name)(\(given.joined(separator: ", ")))"
        let rows = from.isEmpty ? " from \(call) t" : "\(from) cross join lateral \(call) t"
        return Invocation(call: call, from: from, rows: rows)
    }

    /// Refuses what Postgres would refuse and put into its log.
    private static func check(_ arguments: Arguments, of choice: SchemaCache.Choice) throws(GatewayError) {
        if choice.takesWholeBody { return }
        let parameters = choice.function.parameters
        switch arguments {
        case .object(_, let text):
            let keys = RawJSON.Keys(parameters.map(\.name))
            guard let values = try? RawJSON.pick(keys, from: Array(text.utf8)) else { throw .body() }
            for (parameter, value) in zip(parameters, values) {
                guard let value else { continue }
                if let fault = ArgumentSyntax.fault(value, type: parameter.type, name: parameter.name) { throw fault }
            }
        case .query(let values):
            for value in values {
                guard let parameter = parameters.first(where: { $0.name == value.name }) else { continue }
                let fault = ArgumentSyntax.fault(text: value.value, type: parameter.type, name: parameter.name)
                if let fault { throw fault }
            }
        }
    }

    private static func argument(_ parameter: APIFunction.Parameter, _ value: String) -> String {
        (parameter.isVariadic ? "variadic " : "") + SQLWriter.identifier(parameter.name) + " => " + value
    }

    /// Divides a query into arguments (names of parameters, and values that are no filters) and the rest.
    private func queryArguments(
        _ name: String, _ request: GatewayRequest
    ) throws(GatewayError) -> (Arguments, rest: [GatewayRequest.Parameter]) {
        let names = Set((self.cache.functions[name] ?? []).flatMap { $0.parameters.map(\.name) })
        var arguments: [GatewayRequest.Parameter] = []
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
            arguments.append(parameter)
        }
        return (.query(arguments), rest)
    }

    private static func bodyArguments(
        _ request: GatewayRequest
    ) throws(GatewayError) -> (Arguments, rest: [GatewayRequest.Parameter]) {
        guard MediaType.isJSON(contentType: request.headers["content-type"]) else {
            throw .body("Content-Type not acceptable: \(request.headers["content-type"] ?? "")")
        }
        if request.body.isEmpty { return (.object([], text: "{}"), request.query) }
        let names: Set<String>
        let tooMany: Bool
        do {
            (names, tooMany) = try RawJSON.names(request.body, maxDepth: self.maxDepth, most: self.maxArguments)
        } catch {
            throw .body(details: "\(error)")
        }
        guard !RawJSON.holdsZero(request.body) else { throw .zeroEscape }
        guard !tooMany else { throw .body("A call takes at most \(self.maxArguments) arguments") }
        return (.object(names, text: String(decoding: request.body, as: UTF8.self)), request.query)
    }
}
