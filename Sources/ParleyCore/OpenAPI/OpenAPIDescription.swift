/// The description of the API in Swagger 2.0, shaped as PostgREST's: a path for each view and each function, a definition
/// for the rows of each view, and the comments of the database as texts.
///
/// It lists the whole exposed schema, whatever the caller may use of it.
public struct OpenAPIDescription: Sendable {
    public static let contentType = "application/openapi+json; charset=utf-8"

    private let cache: SchemaCache
    /// The path before `/<view>` and `/rpc/<function>`.
    private let basePath: String
    private let version: String

    public init(_ cache: SchemaCache, basePath: String, version: String) {
        self.cache = cache
        self.basePath = basePath
        self.version = version
    }

    /// Refuses an `Accept` header that takes no such description.
    public static func checkAccept(_ accept: String?) throws(APIError) {
        let names = (accept ?? "").split(separator: ",").map { range in
            String((range.split(separator: ";").first ?? "").filter { !$0.isWhitespace }).lowercased()
        }
        let fitting: Set = ["*/*", "application/*", "application/json", "application/openapi+json"]
        guard names.isEmpty || names.contains(where: fitting.contains) else { throw .mediaTypes(names) }
    }

    /// The JSON text.
    public var bytes: [UInt8] { self.document.serialized() }

    private var relations: [APIRelation] { self.cache.relations.values.sorted { $0.name < $1.name } }

    /// One of each name: the overload with most parameters.
    private var functions: [APIFunction] {
        self.cache.functions.values.compactMap { $0.max { $0.parameters.count < $1.parameters.count } }
            .sorted { $0.name < $1.name }
    }

    var document: JSONObject {
        let comment = Self.texts(of: self.cache.comment)
        var info: JSONObject = ["title": comment["summary"] ?? .string(self.cache.schema)]
        info["description"] = comment["description"]
        info["version"] = .string(self.version)
        let types: JSONValue = [
            "application/json", "application/vnd.pgrst.object+json", "application/vnd.pgrst.object+json;nulls=stripped",
            "application/vnd.pgrst.array+json;nulls=stripped",
        ]
        return [
            "swagger": "2.0", "info": .object(info), "basePath": .string(self.basePath), "consumes": types,
            "produces": types, "paths": .object(self.paths), "definitions": .object(self.definitions),
            "parameters": .object(self.parameters),
            "securityDefinitions": [
                "JWT": [
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "Add the token prepending \"Bearer \" (without quotes) to it",
                ]
            ],
            "security": [["JWT": []]],
        ]
    }

    private var paths: JSONObject {
        var paths: JSONObject = [
            "/": [
                "get": [
                    "tags": ["Introspection"], "summary": "OpenAPI description (this document)",
                    "produces": ["application/openapi+json", "application/json"],
                    "responses": ["200": ["description": "OK"]],
                ]
            ]
        ]
        for relation in self.relations { paths["/" + relation.name] = ["get": .object(Self.read(relation))] }
        for function in self.functions { paths["/rpc/" + function.name] = .object(Self.path(function)) }
        return paths
    }

    private var definitions: JSONObject {
        var definitions = JSONObject()
        for relation in self.relations {
            var definition = Self.row(relation.columns)
            if let comment = relation.comment { definition["description"] = .string(comment) }
            definitions[relation.name] = .object(definition)
        }
        return definitions
    }

    private var parameters: JSONObject {
        var parameters = Self.sharedParameters
        for relation in self.relations {
            for column in relation.columns {
                var filter: JSONObject = [
                    "name": .string(column.name), "in": "query", "required": false, "type": "string",
                    "format": .string(column.type),
                ]
                if let comment = column.comment { filter["description"] = .string(comment) }
                parameters["rowFilter.\(relation.name).\(column.name)"] = .object(filter)
            }
        }
        return parameters
    }

    /// The first line of a comment as `summary`, the rest as `description`.
    static func texts(of comment: String?) -> JSONObject {
        guard let comment, !comment.isEmpty else { return JSONObject() }
        let parts = comment.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        var texts: JSONObject = ["summary": .string(String(parts[0]))]
        if parts.count == 2 { texts["description"] = .string(String(parts[1].drop { $0.isWhitespace })) }
        return texts
    }
}
