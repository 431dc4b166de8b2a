internal import Crypto
internal import FoundationEssentials
internal import ParleyCore
internal import ParleyWorker
internal import Support

/// `parley token`: makes tokens for tests and scripts, and says why one is refused.
enum TokenCommand {
    struct Options: Sendable {
        var role = "authenticated"
        var subject: String?
        var expiresIn = Duration.seconds(3600)
        var claims: [String: JSONValue] = [:]
        var verify = false
        var serve = ServeConfiguration()
    }

    static var command: Command {
        Command(
            name: "token", summary: "print a signed token, or check one",
            help: {
                """
                usage: parley token --sub <uuid> [settings]
                       parley token --verify [settings] <tokens.txt

                Prints a JSON Web Token signed with the secret (HS256). With --verify it reads tokens from standard input
                instead, one per line, and prints for each its claims or the reason why it is refused. Without a secret, that
                of `parley dev` in this folder is used.

                \(self.settings.help)
                """
            },
            run: { arguments, environment in
                var options = try self.settings.parse(arguments: arguments, environment: environment)
                try self.findSecret(&options.serve)
                return options.verify ? try await self.check(options) : try self.make(options)
            })
    }

    static var settings: SettingTable<Options> {
        let defaults = Options()
        let uuid = SettingKind<String>(
            placeholder: "uuid", accepted: "a uuid", parse: { UUID(uuidString: $0)?.uuidString.lowercased() },
            format: { $0 })
        let tokens = ["jwt-secret", "jwt-secret-file", "jwks", "jwks-ca", "jwt-issuer", "jwt-audience"]
        let own: [Setting<Options>] = [
            Setting(
                "role", \.role, .text("role", "the name of a database role"), defaults: defaults,
                help: "The role claim: anon, authenticated or service_role, unless yours are others."),
            Setting("sub", \.subject, uuid, defaults: defaults, help: "The user. Needed for the role authenticated."),
            Setting(
                "expires-in", \.expiresIn, .duration(.seconds(1) ... .seconds(86400 * 3650)), defaults: defaults,
                help: "How long it is valid; 30 days are 720h."),
            Setting(
                "claim", \.claims, self.claim, defaults: defaults,
                help: "Another claim, as name=value; the value is JSON, or else text. May be repeated."),
            Setting("verify", \.verify, .flag, defaults: defaults, help: "Check tokens of standard input instead."),
        ]
        let shared = ServeConfiguration.rows(defaults.serve).filter { tokens.contains($0.flag) }
        return SettingTable(
            defaults: defaults, own + shared.map { $0.within(\.serve) },
            check: { options throws(ConfigurationError) in
                if !options.verify, options.role == "authenticated", options.subject == nil {
                    throw ConfigurationError(.missing, setting: "--sub", "is needed for the role authenticated")
                }
            })
    }

    /// `name=value`, added to those given before.
    private static var claim: SettingKind<[String: JSONValue]> {
        SettingKind(
            placeholder: "name=value", accepted: "name=value",
            parse: { text in
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, !parts[0].isEmpty else { return nil }
                let value = (try? JSONValue.parse(String(parts[1]))) ?? .string(String(parts[1]))
                return [String(parts[0]): value]
            },
            format: { _ in "" }, merge: { $0.merging($1) { _, last in last } })
    }

    private static func findSecret(_ options: inout ServeConfiguration) throws {
        try options.readSecretFile()
        if options.jwtSecret == nil, options.jwks == nil { options.jwtSecret = DevFile.secret(in: ".") }
    }

    private static func make(_ options: Options) throws -> Int32 {
        guard let secret = options.serve.jwtSecret, let signer = JWTSigner.hs256(Array(secret.utf8)) else {
            throw ConfigurationError(
                .missing, setting: "--jwt-secret (PARLEY_JWT_SECRET)", "is needed to sign a token")
        }
        var claims = JSONObject()
        let now = Clock.unixSeconds()
        claims["role"] = .string(options.role)
        if let subject = options.subject { claims["sub"] = .string(subject) }
        claims["iat"] = .int(now)
        claims["exp"] = .int(now + options.expiresIn.components.seconds)
        if let issuer = options.serve.jwtIssuer { claims["iss"] = .string(issuer) }
        if let audience = options.serve.jwtAudience { claims["aud"] = .string(audience) }
        for (name, value) in options.claims.sorted(by: { $0.key < $1.key }) { claims[name] = value }
        Terminal.print(signer.sign(claims.serialized()))
        return 0
    }

    /// One line of JSON per token: `{"claims": {...}}` or `{"refused": "<reason>"}`. Exit code 1 if one is refused.
    private static func check(_ options: Options) async throws -> Int32 {
        guard options.serve.jwtSecret != nil || options.serve.jwks != nil else {
            throw ConfigurationError(
                .missing, setting: "--jwt-secret (PARLEY_JWT_SECRET) or --jwks (PARLEY_JWKS)",
                "one of them is needed to check a token")
        }
        let verifier = try await TokenVerifier.make(options.serve, log: Log(label: "token", threshold: .error))
        var refused = false
        while let line = Terminal.readLine() {
            do throws(JWTError) {
                let token = try verifier.verify(line)
                Terminal.print(#"{"claims":\#(String(decoding: token.claimsJSON, as: UTF8.self))}"#)
            } catch {
                refused = true
                let answer: JSONObject = ["refused": .string("\(error)"), "reason": .string(error.joinReason)]
                Terminal.print(String(decoding: answer.serialized(), as: UTF8.self))
            }
        }
        return refused ? 1 : 0
    }
}
