/// Everything of a command's plan that depends on no value: commands that name the same arguments share it.
struct CommandShape: Sendable {
    /// What it depends on, for one schema cache.
    struct Key: Hashable, Sendable {
        var function: String
        var names: Set<String>
        var role: String?
        var isInConversation: Bool

        init(_ command: DatabaseCommand, role: String?) {
            self.function = command.function
            self.names = command.arguments.names
            self.role = role
            self.isInConversation = command.channelConversation != nil
        }

        var bytes: Int { self.names.reduce(self.function.utf8.count) { $0 + $1.utf8.count + 32 } }
    }

    let choice: SchemaCache.Choice
    /// The channel's conversation becomes an argument.
    let takesConversation: Bool
    let sql: String
    /// The object of the arguments is the statement's one parameter; otherwise it has none.
    let hasParameter: Bool

    func plan(_ command: DatabaseCommand) throws(APIError) -> CommandPlan {
        var arguments = command.arguments
        if self.takesConversation, let conversation = command.channelConversation {
            arguments = arguments.adding("conversation_id", conversation.lowercaseText)
        }
        try ArgumentList.object(arguments).check(for: self.choice)
        let function = self.choice.function
        return CommandPlan(
            sql: self.sql, parameters: self.hasParameter ? [String(decoding: arguments.json, as: UTF8.self)] : [],
            isReadOnly: function.isReadOnly, isVoid: function.result == .void)
    }
}

/// Plans commands by the newest schema cache, and remembers their shapes until there is a newer one.
public struct CommandShapes: Sendable {
    private let bytes: Int
    private var shapes: [CommandShape.Key: CommandShape] = [:]
    private var used = 0
    private var generation = 0

    /// - Parameter bytes: of names and statements; when they are used up, all is forgotten.
    public init(bytes: Int = 512 << 10) { self.bytes = bytes }

    var count: Int { self.shapes.count }

    public mutating func plan(
        _ command: DatabaseCommand, role: String?, by cache: SchemaCache
    ) throws(APIError) -> CommandPlan {
        if self.generation != cache.generation { self.forget(before: cache.generation) }
        let key = CommandShape.Key(command, role: role)
        if let known = self.shapes[key] { return try known.plan(command) }
        let shape = try CommandPlanner(cache: cache).shape(of: command, role: role)
        let size = key.bytes + shape.sql.utf8.count
        if self.used + size > self.bytes { self.forget(before: cache.generation) }
        if size <= self.bytes {
            self.shapes[key] = shape
            self.used += size
        }
        return try shape.plan(command)
    }

    private mutating func forget(before generation: Int) {
        self.shapes = [:]
        self.used = 0
        self.generation = generation
    }
}
