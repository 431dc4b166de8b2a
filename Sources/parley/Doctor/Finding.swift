/// What one check of `parley doctor` found.
struct Finding: Sendable, Equatable {
    enum Level: String, Sendable {
        case ok
        /// Works, but will hurt one day.
        case warning = "warn"
        /// Does not work; the exit code says so.
        case failure = "FAIL"
    }

    var level: Level
    /// What was looked at, in a few words.
    var subject: String
    /// What is there.
    var state: String
    /// What to do; empty if there is nothing to do.
    var advice: String

    static func ok(_ subject: String, _ state: String) -> Finding {
        Finding(level: .ok, subject: subject, state: state, advice: "")
    }
    static func warning(_ subject: String, _ state: String, _ advice: String) -> Finding {
        Finding(level: .warning, subject: subject, state: state, advice: advice)
    }
    static func failure(_ subject: String, _ state: String, _ advice: String) -> Finding {
        Finding(level: .failure, subject: subject, state: state, advice: advice)
    }

    /// The last line of a report.
    static func verdict(failures: Int, warnings: Int) -> String {
        switch (failures, warnings) {
        case (0, 0): "All is well."
        case (0, _): "It works; \(warnings) to look at."
        case (_, 0): "\(failures) to repair."
        default: "\(failures) to repair, \(warnings) to look at."
        }
    }

    /// All findings as a table, with what to do below each that needs something.
    static func table(_ findings: [Finding]) -> String {
        let width = findings.map(\.subject.count).max() ?? 0
        return findings.map { finding in
            let mark = finding.level.rawValue
            let gap = String(repeating: " ", count: width - finding.subject.count)
            let line =
                "\(mark)\(String(repeating: " ", count: 5 - mark.count))\(finding.subject)\(gap)  \(finding.state)"
            let indent = String(repeating: " ", count: 5 + width + 2)
            return finding.advice.isEmpty ? line : line + "\n" + indent + "-> " + finding.advice
        }.joined(separator: "\n")
    }
}
