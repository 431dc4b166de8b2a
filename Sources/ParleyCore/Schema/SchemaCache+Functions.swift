extension SchemaCache {
    /// A function, and whether the whole object is its one unnamed argument.
    public struct Choice: Sendable, Equatable {
        public var function: APIFunction
        public var takesWholeObject: Bool
    }

    /// Chooses among the overloads of `name` by the set of argument names alone, as PostgREST does: every name given
    /// must be a parameter, and every parameter without a default must be given.
    public func function(_ name: String, arguments: Set<String>, form: ArgumentForm) throws(APIError) -> Choice {
        let overloads = self.functions[name] ?? []
        let matches = overloads.filter { function in
            let names = Set(function.parameters.map(\.name))
            return !names.contains("") && arguments.isSubset(of: names)
                && function.parameters.allSatisfy { $0.hasDefault || arguments.contains($0.name) }
        }
        if matches.count == 1 { return Choice(function: matches[0], takesWholeObject: false) }
        if matches.count > 1 { throw self.ambiguous(matches) }
        let whole = overloads.filter { function in
            function.parameters.count == 1 && function.parameters[0].name.isEmpty
                && ["json", "jsonb"].contains(function.parameters[0].type)
        }
        if form == .object, let function = whole.first { return Choice(function: function, takesWholeObject: true) }
        throw self.missing(name, arguments: arguments.sorted(), form: form, overloads: overloads)
    }

    private func ambiguous(_ functions: [APIFunction]) -> APIError {
        let signatures = functions.map { function in
            let parameters = function.parameters.map { "\($0.name) => \($0.type)" }.joined(separator: ", ")
            return "\(self.schema).\(function.name)(\(parameters))"
        }
        return APIError(
            status: 300, code: APIError.Code("PGRST203"),
            message: "Could not choose the best candidate function between: " + signatures.joined(separator: ", "),
            hint: "Try renaming the parameters or the function itself in the database so function overloading can be "
                + "resolved")
    }

    private func missing(
        _ name: String, arguments: [String], form: ArgumentForm, overloads: [APIFunction]
    ) -> APIError {
        let list = arguments.joined(separator: ", ")
        let given = arguments.isEmpty ? " without parameters" : "(\(list))"
        var searched =
            arguments.isEmpty ? " without parameters" : " with parameter\(arguments.count > 1 ? "s" : "") \(list)"
        if form == .object { searched += " or with a single unnamed json/jsonb parameter" }
        return APIError(
            status: 404, code: APIError.Code("PGRST202"),
            message: "Could not find the function \(self.schema).\(name)\(given) in the schema cache",
            details: "Searched for the function \(self.schema).\(name)\(searched), but no matches were found in the "
                + "schema cache.",
            hint: self.suggestion(name, arguments: Set(arguments), overloads: overloads)
                .map { "Perhaps you meant to call the function \(self.schema).\($0)" })
    }

    /// The overload that shares most names with the arguments, or the function whose name is closest.
    private func suggestion(_ name: String, arguments: Set<String>, overloads: [APIFunction]) -> String? {
        if overloads.isEmpty { return Similarity.closest(to: name, among: self.functions.keys) }
        let ranked = overloads.map { function in
            (function: function, shared: function.parameters.count { arguments.contains($0.name) })
        }
        guard let best = ranked.max(by: { $0.shared < $1.shared }) else { return nil }
        return name + "(" + best.function.parameters.map(\.name).sorted().joined(separator: ", ") + ")"
    }
}
