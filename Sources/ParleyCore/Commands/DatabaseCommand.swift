public import FoundationEssentials

/// A function of the API to be run for a client.
public struct DatabaseCommand: Sendable, Equatable {
    /// The name of the function.
    public var function: String
    public var arguments: CommandArguments
    /// What it is about: a conversation, a call, or the user of an inbox. Commands of one socket about the same thing run
    /// in the order they came.
    public var subject: UUID
    /// The conversation of the channel, to be filled in where the function takes one and the client named none.
    public var channelConversation: UUID?
    /// The name under which what the function returns is put into the answer; nil: the answer is what it returns.
    public var answerName: String?
    /// It is quick and locks little but its subject and its user's rate: it may share a transaction with others.
    public var mayShare: Bool

    init(
        function: String, arguments: CommandArguments, subject: UUID, channelConversation: UUID? = nil,
        answerName: String? = nil, mayShare: Bool = true
    ) {
        self.function = function
        self.arguments = arguments
        self.subject = subject
        self.channelConversation = channelConversation
        self.answerName = answerName
        self.mayShare = mayShare
    }
}
