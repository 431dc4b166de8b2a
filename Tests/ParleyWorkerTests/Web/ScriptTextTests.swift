import Testing

@testable import ParleyWorker

@Suite struct ScriptTextTests {
    @Test(
        arguments: [
            ("// one\na = 1;\n\n  // two\nb = 2;", "a=1;b=2;"),
            ("/** of a\n * @type {number} */\nlet a = 1", "let a=1"),
            ("let u = 'http://a'; // gone", "let u='http://a';"),
            ("let t = `\n// text ${ a /* gone */ } {`\n// gone", "let t=`\n// text ${a} {`"),
            ("t = `\\``; // gone", "t=`\\``;"),
            ("let t = `${f(`x ${ { a: 1 } }`)}  `; c", "let t=`${f(`x ${{a:1}}`)}  `;c"),
            ("a = b / c; // d / e", "a=b/c;"), ("r = /[/\"] \\/ x/g.test(s) // gone", "r=/[/\"] \\/ x/g.test(s)"),
            ("return /a  b/", "return/a  b/"), ("(a) / b / c", "(a)/b/c"),
            // Where a statement may end without a semicolon, the line does.
            ("a = b\nc = d", "a=b\nc=d"), ("a = {}\n[1].x", "a={}\n[1].x"), ("return\n/x y/", "return\n/x y/"),
            ("a +\nb", "a+\nb"), ("a + +b - -c - d", "a+ +b- -c-d"), ("1 .x", "1 .x"),
            ("if (a) { b; }\nc;", "if(a){b}\nc;"), ("{ while (a); }", "{while(a);}"),
            (
                "class A { #long = 1; #more; get #more2() { return this.#more + this.#more; } }",
                "class A{#b=1;#a;get #c(){return this.#a+this.#a}}"
            ),
            ("x = '#fff  #long'", "x='#fff  #long'"),
        ])
    func keepsWhatScriptsMean(text: String, expected: String) {
        #expect(ScriptText.compact(text) == expected)
    }

    @Test(arguments: ["'", "`", "`${", "/*", "/x", "//", "\\", "a = '\\", "`\\", "}", "é # \u{0}"])
    func whatIsCutOffEndsToo(text: String) {
        #expect(ScriptText.compact(text).utf8.count <= text.utf8.count)
    }
}

@Suite struct ScriptBundleTests {
    private let files = [
        "src/parley.js":
            "import { A, b } from \"./a.js\";\nexport { A };\nexport function make() { return import(\"./late.js\"); }\n",
        "src/a.js": "import { b } from \"./b.js\";\nexport class A { #x = `${ b }`; }\nexport { b };\n",
        "src/b.js": "export const b = 1;\nasync function own() { const a = { import: 1 }; }\n",
    ]

    @Test func aModuleComesAfterThoseItImports() throws {
        let text = try #require(ScriptBundle.join("src/parley.js", of: self.files))
        #expect(
            text == """
                const b=1;async function own(){const a={import:1}}
                class A{#a=`${b}`}
                function make(){return import("./late.js")}export{A,make};

                """)
    }

    @Test(arguments: [
        "export default 1;", "export * from \"./b.js\";", "import * as b from \"./b.js\";", "const A = 1;",
        "import { b as c } from \"./b.js\";", "import x from \"./b.js\";", "import { b } from \"react\";",
        "import { b } from \"./gone.js\";", "export { b } from \"./b.js\";",
        "const { b } = 1, { c } = 2;\nconst { d } = 3;",
    ])
    func whatCannotStandTogetherIsLeftApart(more: String) {
        var files = self.files
        files["src/b.js", default: ""] += more + "\n"
        #expect(ScriptBundle.join("src/parley.js", of: files) == nil)
    }

    @Test func styleSheetsLoseTheirComments() {
        #expect(StyleText.withoutComments("/* a\n b */\n  x { y: \"1\" } /* c */\n\n z") == "x { y: \"1\" } \nz\n")
        #expect(StyleText.withoutComments("a /* b") == "a \n")
    }
}
