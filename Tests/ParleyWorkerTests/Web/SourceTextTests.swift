import Testing

@testable import ParleyWorker

@Suite struct SourceTextTests {
    @Test(
        arguments: [
            ("// one\na = 1\n\n  // two\nb = 2", "a = 1\nb = 2\n"),
            ("/** of a\n * @type {number} */\nlet a = 1", "let a = 1\n"),
            ("/* one */\n/* two */ let b", "/* two */ let b\n"),
            ("/* one\n two */ let b", " let b\n"),
            ("let u = 'http://a' // kept", "let u = 'http://a' // kept\n"),
            ("let t = `\n// text\n/* text */\n\n`\n// gone", "let t = `\n// text\n/* text */\n\n`\n"),
            (#"let t = `\``"# + "\n// gone", #"let t = `\``"# + "\n"),
            ("let t = `${f(`x`)}`\n// gone", "let t = `${f(`x`)}`\n"),
            ("a = b / c // d\n/* `\n` ` */\ne", "a = b / c // d\ne\n"),
        ])
    func leavesOutLinesOfComment(text: String, expected: String) {
        #expect(SourceText.withoutComments(text) == expected)
    }
}
