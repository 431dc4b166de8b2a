/// A function of the API with its arguments, as SQL.
struct Invocation {
    let function: APIFunction
    /// The function with its arguments.
    let expression: String
    /// ` from ...` with the arguments, or nothing.
    let from: String
    /// ` from ...` with the function's rows as `t`.
    let rows: String
    /// The object is a parameter of the statement, or texts are.
    let hasParameter: Bool

    /// With one object, the statement's first parameter, of which only the names matter. - Parameter names: checked for `choice`.
    init(_ choice: SchemaCache.Choice, names: Set<String>, schema: String) {
        let function = choice.function
        var columns: [String] = []
        var given: [String] = []
        if choice.takesWholeObject {
            given = ["$1::" + function.parameters[0].type]
        } else {
            for parameter in function.parameters where names.contains(parameter.name) {
                let name = SQLWriter.identifier(parameter.name)
                columns.append(name + " " + parameter.type)
                given.append(Self.argument(parameter, name, "a." + name))
            }
        }
        let from =
            columns.isEmpty
            ? "" : " from json_to_record($1::json) a(" + columns.joined(separator: ", ") + ")"
        self.init(function, given, from: from, schema: schema, hasParameter: !given.isEmpty)
    }

    /// - Parameter arguments: checked for `choice`.
    init(_ choice: SchemaCache.Choice, _ arguments: ArgumentList, schema: String, _ writer: inout SQLWriter) {
        switch arguments {
        case .object(let object):
            self.init(choice, names: object.names, schema: schema)
            if self.hasParameter { writer.append(String(decoding: object.json, as: UTF8.self)) }
        case .texts(let texts):
            var given: [String] = []
            for parameter in choice.function.parameters {
                guard let text = texts.first(where: { $0.name == parameter.name })?.text else { continue }
                let name = SQLWriter.identifier(parameter.name)
                given.append(Self.argument(parameter, name, writer.parameter(text, as: parameter.type)))
            }
            self.init(choice.function, given, from: "", schema: schema, hasParameter: !given.isEmpty)
        }
    }

    private init(_ function: APIFunction, _ given: [String], from: String, schema: String, hasParameter: Bool) {
        let name = SQLWriter.identifier(schema) + "." + SQLWriter.identifier(function.name)
        self.function = function
        self.expression = name + "(" + given.joined(separator: ", ") + ")"
        self.from = from
        self.rows = from.isEmpty ? " from \(self.expression) t" : "\(from) cross join lateral \(self.expression) t"
        self.hasParameter = hasParameter
    }

    /// The statement for a function that returns no set: one row, whose one column is the JSON text of the result (of
    /// nothing for a function without one).
    func single(stripsNulls: Bool) -> String {
        let strip = { (json: String) in stripsNulls ? "json_strip_nulls(\(json))" : json }
        switch self.function.result {
        case .void: return "select \(self.expression)\(self.from)"
        case .value(isJSON: true) where !stripsNulls: return "select (\(self.expression))::text\(self.from)"
        case .value: return "select (\(strip("to_json(\(self.expression))")))::text\(self.from)"
        case .row, .values, .rows:
            return "select \(strip("row_to_json(s.*)"))::text from (select t.*\(self.rows)) s"
        }
    }

    /// The rows of a set as a query, and the name of one of them: `s.*`, since a column may be called `s` too.
    var set: (query: String, item: String) {
        if case .rows = self.function.result { return ("select t.*\(self.rows)", "s.*") }
        return ("select \(self.expression) as value\(self.from)", "s.value")
    }

    private static func argument(_ parameter: APIFunction.Parameter, _ name: String, _ value: String) -> String {
        (parameter.isVariadic ? "variadic " : "") + name + " => " + value
    }
}
