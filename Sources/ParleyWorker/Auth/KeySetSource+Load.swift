internal import HTTPClient
internal import Support

extension KeySetSource {
    /// The largest key set that is read.
    static let longestSet = 256 * 1024

    /// A function that reads the set once per call.
    ///
    /// - Parameter certificateAuthority: PEM file to trust in place of the system's.
    func loader(certificateAuthority: String?) -> @Sendable () async throws -> [UInt8] {
        switch self {
        case .file(let path):
            return { try FileText.bytes(of: path, limit: Self.longestSet) }
        case .url(let url):
            let session = HTTPSession(
                HTTPConfiguration(
                    timeout: .seconds(10), maxBodyBytes: Self.longestSet, certificateAuthority: certificateAuthority,
                    allowsCleartext: url.hasPrefix("http://")))
            return {
                let response = try await session.get(url)
                guard response.status == 200 else { throw KeySetError("the server answered \(response.status)") }
                return response.body
            }
        }
    }
}

/// A key set that cannot be read or used.
struct KeySetError: Error, Sendable, Equatable, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
