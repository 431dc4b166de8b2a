internal import Glibc

@main
enum Main {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        let code = await CommandList.run(arguments, environment: Terminal.environment)
        // Neither by returning nor by exit(3): threads that still use C libraries need not be waited for, and must not
        // meet what these libraries tear down at exit (OpenSSL in a connection being made: SIGABRT, or a deadlock).
        fflush(nil)
        _exit(code)
    }
}
