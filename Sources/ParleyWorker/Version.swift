/// The release this binary is of. `scripts/lint.sh` compares it with `sql`.
public enum Version {
    /// As in `sql/VERSION`.
    public static let current = "0.3.0"
    /// The newest file of `sql/migrations` this binary was made with: past a breaking one it must not run.
    public static let newestMigration = 28
}
