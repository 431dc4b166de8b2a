/// How long anybody waits for an answer at the most, whatever the database does.
public enum AnswerTime {
    /// Of every door: stock clients give up after 10 s.
    public static let longest = Duration.milliseconds(7_500)
    /// Of a request's statement in the database, which gives up first and says so better: half a second before the pool asks
    /// it to, and that is a second before the answer is due.
    public static let longestStatement = Duration.seconds(6)
}
