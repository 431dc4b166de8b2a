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
        let arguments = ArgumentList.object(self.arguments(of: command))
        let choice = try self.cache.function(command.function, arguments: arguments.names, form: .object)
        try self.cache.check(function: choice.function.name, for: role)
        try arguments.check(for: choice)
        var writer = SQLWriter()
        let invocation = Invocation(choice, arguments, schema: self.cache.schema, &writer)
        let function = choice.function
        return CommandPlan(
            sql: function.result.isSet ? self.set(invocation) : invocation.single(stripsNulls: false),
            parameters: writer.parameters, isReadOnly: function.isReadOnly, isVoid: function.result == .void)
    }

    /// A function that takes a conversation gets the one of the channel, unless the client named one.
    private func arguments(of command: DatabaseCommand) -> CommandArguments {
        guard let conversation = command.channelConversation, command.arguments["conversation_id"] == nil,
            let overloads = self.cache.functions[command.function],
            overloads.contains(where: { $0.parameters.contains { $0.name == "conversation_id" } })
        else { return command.arguments }
        return command.arguments.adding("conversation_id", conversation.lowercaseText)
    }

    private func set(_ invocation: Invocation) -> String {
        let (query, item) = invocation.set
        return "with result as materialized (\(query)) select coalesce(json_agg(\(item)), '[]')::text "
            + "from (select * from result limit \(self.maxRows)) s"
    }
}
