internal import ParleyCore
internal import PostgresClient

/// A message that a service is to be asked about, as `parley.claim_spam_checks` gives it.
struct SpamCheck: Sendable {
    enum Question: Sendable, Equatable {
        case links([String])
        case text(String)
    }

    var conversationID: String
    var messageID: String
    var rule: String
    var url: String
    var key: String?
    var question: Question

    static let claim = """
        select conversation_id, message_id, rule_name, url, key, content, to_json(urls)::text \
        from parley.claim_spam_checks($1)
        """

    init(_ row: Row) {
        self.conversationID = row.string(0) ?? ""
        self.messageID = row.string(1) ?? ""
        self.rule = row.string(2) ?? ""
        self.url = row.string(3) ?? ""
        self.key = row.string(4)
        if let content = row.string(5) {
            self.question = .text(content)
        } else {
            let urls = (try? JSONValue.parse(row.string(6) ?? "[]"))?.array ?? []
            self.question = .links(urls.compactMap(\.string))
        }
    }

    private var names: [String?] { [self.conversationID, self.messageID, self.rule] }

    func answered(confidence: Double? = nil) -> Statement {
        Statement("select parley.answer_spam_check($1, $2, $3, $4)", self.names + [confidence.map { String($0) }])
    }

    var failed: Statement { Statement("select parley.fail_spam_check($1, $2, $3)", self.names) }

    static func noted(rule: String, _ urls: [String], _ warnings: [LinkSafety.Warning]) -> Statement {
        func list(_ values: [JSONValue]) -> String {
            String(decoding: JSONValue.array(values).serialized(), as: UTF8.self)
        }
        return Statement(
            """
            select parley.note_links(
                $1, array(select jsonb_array_elements_text($2::jsonb)), array(select jsonb_array_elements_text($3::jsonb)),
                array(select jsonb_array_elements_text($4::jsonb)::integer))
            """,
            [
                rule, list(urls.map { .string($0) }), list(warnings.map { .string($0.url) }),
                list(warnings.map { .int(max(0, min($0.cacheSeconds, 86400))) }),
            ])
    }
}
