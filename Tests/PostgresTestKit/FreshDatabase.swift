/// A database of its own in the shared test cluster, with Parley installed: where a test needs silence, or where its
/// locks and bells must be nobody else's. It goes with the cluster.
public struct FreshDatabase: Sendable {
    public let ownerURL: String
    public let workerURL: String

    public static func make() async throws -> FreshDatabase {
        let owner = try await Self.bare()
        _ = try await ThrowawayCluster.script(["install", owner], Self.cluster())
        let worker = try TestDatabase.workerURL()
        guard let slash = worker.lastIndex(of: "/"), let name = owner.split(separator: "/").last else {
            throw ThrowawayCluster.Failure(description: worker)
        }
        return FreshDatabase(ownerURL: owner, workerURL: String(worker[...slash]) + name)
    }

    /// The owner's URL of a database without Parley.
    public static func bare() async throws -> String {
        let name = TestDatabase.uniqueName("parley")
        let printed = try await ThrowawayCluster.script(["database", name], Self.cluster())
        return String(printed.prefix { $0 != "\n" })
    }

    private static func cluster() throws -> [String: String] {
        ["PARLEY_TEST_CLUSTER": try TestDatabase.variable("PARLEY_TEST_CLUSTER")]
    }
}
