internal import CPostgres

extension ResultSet {
    /// Copies a libpq result; the caller still owns it.
    init(result: OpaquePointer) {
        let columns = Int(PQnfields(result))
        let rows = Int(PQntuples(result))
        let names = (0..<columns).map { PQfname(result, Int32($0)).map { String(cString: $0) } ?? "" }
        var builder = RowStorage.Builder(
            columns: names, cells: rows * columns, bytes: rows == 0 ? 0 : PQresultMemorySize(result) / 2)
        for row in 0..<Int32(rows) {
            for column in 0..<Int32(columns) {
                guard PQgetisnull(result, row, column) == 0, let value = PQgetvalue(result, row, column) else {
                    builder.append([UInt8]?.none)
                    continue
                }
                let length = Int(PQgetlength(result, row, column))
                builder.append(UnsafeRawBufferPointer(start: value, count: length))
            }
        }
        // Empty for commands that have no count.
        let affected = PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
        self.init(storage: builder.finish(rows: rows), affectedRows: affected)
    }
}
