extension OpenAPIDescription {
    /// What a view answers to.
    static func read(_ relation: APIRelation) -> JSONObject {
        let filters = relation.columns.map { self.reference("rowFilter.\(relation.name).\($0.name)") }
        let shared = self.sharedParameters.members.map { self.reference($0.key) }
        var operation: JSONObject = ["tags": [.string(relation.name)]]
        for text in self.texts(of: relation.comment).members { operation[text.key] = text.value }
        operation["parameters"] = .array(filters + shared)
        operation["responses"] = [
            "200": [
                "description": "OK",
                "schema": ["type": "array", "items": ["$ref": .string("#/definitions/\(relation.name)")]],
            ],
            "206": ["description": "Partial Content"],
        ]
        return operation
    }

    /// What a function answers to: `post`, and `get` if it changes nothing and its arguments can stand in a query.
    static func path(_ function: APIFunction) -> JSONObject {
        var path = JSONObject()
        let isReachable = function.parameters.allSatisfy {
            !$0.name.isEmpty && (!ReadQuery.isReserved($0.name) || $0.hasDefault)
        }
        if function.isReadOnly, isReachable {
            let inQuery = function.parameters.filter { !ReadQuery.isReserved($0.name) }.map { parameter in
                JSONValue.object(
                    [
                        "name": .string(parameter.name), "in": "query", "required": .bool(!parameter.hasDefault),
                        "type": .string(self.queryType(parameter.type)), "format": .string(parameter.type),
                    ])
            }
            path["get"] = .object(self.operation(function, parameters: inQuery))
        }
        path["post"] = .object(self.operation(function, parameters: [.object(self.body(function))]))
        return path
    }

    private static func operation(_ function: APIFunction, parameters: [JSONValue]) -> JSONObject {
        var operation: JSONObject = ["tags": [.string("(rpc) \(function.name)")]]
        for text in self.texts(of: function.comment).members { operation[text.key] = text.value }
        operation["parameters"] = .array(parameters)
        var success: JSONObject = ["description": "OK"]
        switch function.result {
        case .void: success["description"] = "No Content"
        case .value, .values: break
        case .row(let columns): success["schema"] = .object(self.row(columns))
        case .rows(let columns): success["schema"] = ["type": "array", "items": .object(self.row(columns))]
        }
        operation["responses"] = .object([function.result == .void ? "204" : "200": .object(success)])
        return operation
    }

    private static func body(_ function: APIFunction) -> JSONObject {
        var schema = JSONObject()
        if let first = function.parameters.first, first.name.isEmpty {
            schema["format"] = .string(first.type)
        } else {
            schema["type"] = "object"
            var properties = JSONObject()
            for parameter in function.parameters {
                var property = self.schema(parameter.type)
                property["default"] = parameter.defaultText.flatMap { self.value($0, type: parameter.type) }
                properties[parameter.name] = .object(property)
            }
            let required = function.parameters.filter { !$0.hasDefault }.map { JSONValue.string($0.name) }
            if !required.isEmpty { schema["required"] = .array(required) }
            schema["properties"] = .object(properties)
        }
        return ["name": "args", "in": "body", "required": true, "schema": .object(schema)]
    }

    private static func reference(_ parameter: String) -> JSONValue {
        ["$ref": .string("#/parameters/\(self.escaped(parameter))")]
    }

    /// As a token of a JSON pointer (RFC 6901 section 3).
    private static func escaped(_ name: String) -> String {
        name.replacing("~", with: "~0").replacing("/", with: "~1")
    }

    /// What every view takes beside filters.
    static let sharedParameters: JSONObject = [
        "select": ["name": "select", "in": "query", "required": false, "type": "string", "description": "Columns"],
        "order": ["name": "order", "in": "query", "required": false, "type": "string", "description": "Ordering"],
        "offset": [
            "name": "offset", "in": "query", "required": false, "type": "string", "description": "Rows to leave out",
        ],
        "limit": [
            "name": "limit", "in": "query", "required": false, "type": "string", "description": "Most rows to return",
        ],
        "range": [
            "name": "Range", "in": "header", "required": false, "type": "string", "description": "Limits the rows",
        ],
        "rangeUnit": [
            "name": "Range-Unit", "in": "header", "required": false, "type": "string", "default": "items",
            "description": "The unit of Range",
        ],
        "preferCount": [
            "name": "Prefer", "in": "header", "required": false, "type": "string", "enum": ["count=exact"],
            "description": "Counts all rows that match",
        ],
    ]
}
