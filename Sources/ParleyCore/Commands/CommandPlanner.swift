/// Turns a function's name and arguments into a statement, by what the schema cache says of the function.
public struct CommandPlanner: Sendable {
    private let cache: SchemaCache
    /// Most rows of a set in one answer.
    private let maxRows: Int

    public init(cache: SchemaCache, maxRows: Int = 1_000) {
        self.cache = cache
        self.maxRows = maxRows
    }

    /// Plans a command of a channel. - Parameter role: of the caller, to refuse what it may not do.
    public func plan(_ command: DatabaseCommand, role: String? = nil) throws(APIError) -> CommandPlan {
        try self.shape(of: command, role: role).plan(command)
    }

    func shape(of command: DatabaseCommand, role: String?) throws(APIError) -> CommandShape {
        let takesConversation = self.takesConversation(command)
        var names = command.arguments.names
        if takesConversation { names.insert("conversation_id") }
        let choice = try self.cache.function(command.function, arguments: names, form: .object)
        try self.cache.check(function: choice.function.name, for: role)
        let invocation = Invocation(choice, names: names, schema: self.cache.schema)
        return CommandShape(
            choice: choice, takesConversation: takesConversation,
            sql: choice.function.result.isSet ? self.set(invocation) : invocation.single(stripsNulls: false),
            hasParameter: invocation.hasParameter)
    }

    /// A function that takes a conversation gets the one of the channel, unless the client named one.
    private func takesConversation(_ command: DatabaseCommand) -> Bool {
        guard command.channelConversation != nil, command.arguments["conversation_id"] == nil else { return false }
        return self.cache.functions[command.function, default: []]
            .contains { $0.parameters.contains { $0.name == "conversation_id" } }
    }

    private func set(_ invocation: Invocation) -> String {
        let (query, item) = invocation.set
        return "with result as materialized (\(query)) select coalesce(json_agg(\(item)), '[]')::text "
            + "from (select * from result limit \(self.maxRows)) s"
    }
}
