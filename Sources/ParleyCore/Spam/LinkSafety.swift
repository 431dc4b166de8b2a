/// The exchange with a service of link safety, in the shape of Safe Browsing v4, `threatMatches:find`.
public enum LinkSafety {
    /// The most links of one request.
    public static let mostURLs = 500

    /// A link that the service warns of.
    public struct Warning: Sendable, Equatable {
        public var url: String
        /// For how long the warning holds.
        public var cacheSeconds: Int64

        public init(url: String, cacheSeconds: Int64) {
            self.url = url
            self.cacheSeconds = cacheSeconds
        }
    }

    public static func request(_ urls: [String], clientVersion: String) -> [UInt8] {
        let value: JSONValue = [
            "client": ["clientId": "parley", "clientVersion": .string(clientVersion)],
            "threatInfo": [
                "threatTypes": [
                    "MALWARE", "SOCIAL_ENGINEERING", "UNWANTED_SOFTWARE", "POTENTIALLY_HARMFUL_APPLICATION",
                ],
                "platformTypes": ["ANY_PLATFORM"],
                "threatEntryTypes": ["URL"],
                "threatEntries": .array(urls.prefix(self.mostURLs).map { ["url": .string($0)] }),
            ],
        ]
        return value.serialized()
    }

    /// - Returns: nil for a body that is no answer of such a service. `{}` is one: it warns of nothing.
    public static func warnings(_ body: [UInt8]) -> [Warning]? {
        guard let answer = (try? JSONValue.parse(body))?.object else { return nil }
        guard let matches = answer["matches"] else { return [] }
        guard let matches = matches.array else { return nil }
        var warnings: [Warning] = []
        for match in matches {
            guard let url = match["threat"]?["url"]?.string else { return nil }
            warnings.append(Warning(url: url, cacheSeconds: Self.seconds(match["cacheDuration"]?.string) ?? 300))
        }
        return warnings
    }

    /// `"593.440s"` as whole seconds.
    private static func seconds(_ text: String?) -> Int64? {
        guard let text, text.last == "s" else { return nil }
        return text.split(separator: ".", maxSplits: 1).first.flatMap { part in
            Int64(part.last == "s" ? part.dropLast() : part)
        }
    }
}

/// The exchange with a classifier of texts: `{"content"}` is answered with `{"confidence"}`, 0 to 1.
public enum TextClassifier {
    public static func request(_ content: String) -> [UInt8] {
        JSONValue.object(["content": .string(content)]).serialized()
    }

    /// - Returns: nil for a body that is no answer of such a service.
    public static func confidence(_ body: [UInt8]) -> Double? {
        guard let value = (try? JSONValue.parse(body))?["confidence"]?.number?.double, (0...1).contains(value) else {
            return nil
        }
        return value
    }
}
