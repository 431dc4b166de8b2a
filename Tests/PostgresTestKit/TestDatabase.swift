internal import Glibc
public import PostgresClient

/// The databases that `Tests/support/cluster.sh start` makes, found by the variables it exports.
public enum TestDatabase {
    /// Fails the test that needs the variable: a test that cannot run must not look as if it had passed.
    public struct MissingVariable: Error, CustomStringConvertible {
        public let name: String
        public var description: String {
            #"\#(self.name) is not set. Run the tests with: eval "$(Tests/support/cluster.sh start)""#
        }
    }

    /// The owner of the schema.
    public static func ownerURL() throws -> String { try Self.variable("PARLEY_TEST_DATABASE_URL") }

    /// A login that may run the worker's functions.
    public static func workerURL() throws -> String { try Self.variable("PARLEY_WORKER_DATABASE_URL") }

    public static func variable(_ name: String) throws -> String {
        guard let value = getenv(name) else { throw MissingVariable(name: name) }
        return String(cString: value)
    }

    /// The owner's database under an application name of its own, by which a test finds its own connections.
    public static func owner(
        _ applicationName: String = uniqueName("test"), _ adjust: (inout PostgresConfiguration) -> Void = { _ in }
    ) throws -> PostgresConfiguration {
        var configuration = PostgresConfiguration(url: try Self.ownerURL(), applicationName: applicationName)
        adjust(&configuration)
        return configuration
    }

    /// A name no other test uses; fit for SQL identifiers.
    public static func uniqueName(_ prefix: String) -> String {
        "\(prefix)_\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    }
}
