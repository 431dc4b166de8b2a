/// How long anybody waits for an answer at the most, whatever the database does.
public enum AnswerTime {
    /// Of every door: stock clients give up after 10 s.
    public static let longest = Duration.milliseconds(7_500)
    /// Of a request's statement in the database: the server gives up first, and says so better than a connection that is
    /// given up.
    public static let longestStatement = Duration.seconds(7)
}
