/// The representations the gateway can give.
public enum MediaType: Sendable, Equatable {
    /// JSON; rows as an array.
    case json
    /// Rows as an array, members that are null left out.
    case strippedArray
    /// Exactly one row, as an object.
    case object(stripped: Bool)

    public var contentType: String {
        switch self {
        case .json: "application/json; charset=utf-8"
        case .strippedArray: "application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8"
        case .object(stripped: false): "application/vnd.pgrst.object+json; charset=utf-8"
        case .object(stripped: true): "application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8"
        }
    }

    var stripsNulls: Bool { self == .strippedArray || self == .object(stripped: true) }
    var isObject: Bool { self == .object(stripped: false) || self == .object(stripped: true) }

    /// Chooses by an `Accept` header (RFC 9110 section 12.5.1): the type on offer with the highest weight, the first
    /// of equals; JSON when there is no header.
    public static func negotiate(_ accept: String?) throws(APIError) -> MediaType {
        guard let accept, accept.contains(where: { !$0.isWhitespace }) else { return .json }
        var best: (weight: Double, type: MediaType)?
        var names: [String] = []
        for range in accept.split(separator: ",") {
            let (name, parameters) = self.split(range)
            names.append(([name] + parameters.filter { !$0.hasPrefix("q=") }).joined(separator: ";"))
            let weight = parameters.first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            guard weight > 0, let type = self.offered(name, parameters) else { continue }
            if best == nil || weight > best?.weight ?? 0 { best = (weight, type) }
        }
        guard let best else { throw .mediaTypes(names) }
        return best.type
    }

    /// Whether a request's `Content-Type` is JSON; nil counts as JSON.
    public static func isJSON(contentType: String?) -> Bool {
        guard let contentType else { return true }
        let (name, _) = self.split(contentType[...])
        return name == "application/json" || name.isEmpty
    }

    private static func offered(_ name: String, _ parameters: [String]) -> MediaType? {
        let stripped = parameters.contains("nulls=stripped")
        switch name {
        case "*/*", "application/*", "application/json": return .json
        case "application/vnd.pgrst.object+json", "application/vnd.pgrst.object": return .object(stripped: stripped)
        case "application/vnd.pgrst.array+json", "application/vnd.pgrst.array": return stripped ? .strippedArray : .json
        default: return nil
        }
    }

    private static func split(_ text: Substring) -> (name: String, parameters: [String]) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map { part in
            String(part.filter { !$0.isWhitespace }).lowercased()
        }
        return (parts.first ?? "", Array(parts.dropFirst()))
    }
}
