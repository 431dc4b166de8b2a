/// How arguments were given, which decides what an unnamed parameter may take.
public enum ArgumentForm: Sendable, Equatable {
    /// As one JSON object.
    case object
    /// As texts, each with its name: in the query of a URL.
    case texts
}

/// The arguments of a command as they came.
enum ArgumentList {
    case object(CommandArguments)
    case texts([(name: String, text: String)])

    var form: ArgumentForm {
        switch self {
        case .object: .object
        case .texts: .texts
        }
    }

    var names: Set<String> {
        switch self {
        case .object(let arguments): arguments.names
        case .texts(let arguments): Set(arguments.map(\.name))
        }
    }

    /// What is given as `conversation_id`.
    var conversation: String? {
        switch self {
        case .object(let arguments): arguments["conversation_id"]?.string?.lowercased()
        case .texts(let arguments): arguments.first { $0.name == "conversation_id" }?.text.lowercased()
        }
    }

    /// Refuses what Postgres would refuse and put into its log.
    func check(for choice: SchemaCache.Choice) throws(APIError) {
        if choice.takesWholeObject { return }
        for parameter in choice.function.parameters {
            let fault: APIError? =
                switch self {
                case .object(let arguments):
                    arguments[parameter.name].flatMap {
                        ArgumentSyntax.fault($0, type: parameter.type, name: parameter.name)
                    }
                case .texts(let arguments):
                    arguments.first { $0.name == parameter.name }.flatMap {
                        ArgumentSyntax.fault(text: $0.text, type: parameter.type, name: parameter.name)
                    }
                }
            if let fault { throw fault }
        }
    }
}
