internal import PostgresClient

extension PostgresError {
    /// Something the schema cache lists may have been dropped or replaced.
    var hintsAtStaleSchema: Bool { ["42883", "42P01", "42703"].contains(self.sqlState) }
}
