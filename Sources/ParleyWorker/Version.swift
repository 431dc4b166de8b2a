/// The release this binary is of.
public enum Version {
    public static let current = "0.1.0"
}
