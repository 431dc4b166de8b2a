/// The release this binary is of.
public enum Version {
    public static let current = "0.1.0"
    /// The newest file of `sql/migrations` this binary was made with: past a breaking one it must not run.
    public static let newestMigration = 20
}
