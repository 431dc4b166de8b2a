internal import Glibc

@main
enum Main {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        // Not by returning: threads of C libraries may still run, and need not be waited for.
        exit(await CommandList.run(arguments, environment: Terminal.environment))
    }
}
