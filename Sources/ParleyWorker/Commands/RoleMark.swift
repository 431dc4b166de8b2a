/// A comment at the start of a statement that keeps statements of different roles apart.
///
/// Connections keep statements prepared by their text, and so plans. Postgres checks the right to execute a function that it
/// inlines when it makes the plan and never again, so roles must not share a plan.
enum RoleMark {
    static func text(_ role: String) -> String {
        "/* \(String(role.unicodeScalars.filter { $0 != "*" && $0 != "/" })) */ "
    }
}
