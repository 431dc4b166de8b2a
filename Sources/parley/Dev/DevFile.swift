internal import Crypto
internal import Glibc
internal import ParleyCore
internal import ParleyWorker

/// `.parley/dev.json`: everything a program needs to use a running `parley dev`.
enum DevFile {
    /// Of the users' tokens.
    private static let userTokenSeconds: Int64 = 30 * 86400
    /// Of the keys that stand for the application itself.
    private static let keySeconds: Int64 = 3650 * 86400

    /// The secret of the project in `folder`, if `parley dev` was ever run there.
    static func secret(in folder: String) -> String? { Secrets(file: folder + "/.parley/secrets.json")?.jwt }

    /// - Parameter url: where the worker answers.
    static func json(url: String, database: DevDatabase) -> [UInt8] {
        let secrets = database.secrets
        let object: JSONObject = [
            "url": .string(url), "anon_key": self.token("anon", self.keySeconds, secrets),
            "service_role_key": self.token("service_role", self.keySeconds, secrets),
            "jwt_secret": .string(secrets.jwt), "database_url": .string(database.ownerURL),
            "users": self.users(secrets),
        ]
        return object.serialized() + [UInt8(ascii: "\n")]
    }

    /// What the page of the demo asks for.
    static func demoUsers(_ secrets: Secrets) -> [UInt8] {
        let object: JSONObject = ["users": self.users(secrets)]
        return object.serialized()
    }

    /// The demo users with fresh tokens.
    private static func users(_ secrets: Secrets) -> JSONValue {
        let users = DemoUser.all.map { user in
            JSONValue.object([
                "id": .string(user.id), "name": .string(user.name), "tier": .string(user.tier),
                "token": self.token("authenticated", self.userTokenSeconds, secrets, subject: user.id),
            ])
        }
        return .array(users)
    }

    private static func token(
        _ role: String, _ seconds: Int64, _ secrets: Secrets, subject: String? = nil
    ) -> JSONValue {
        guard let signer = JWTSigner.hs256(Array(secrets.jwt.utf8)) else {
            preconditionFailure("the secrets of a project are long enough")
        }
        let now = Clock.unixSeconds()
        var claims: JSONObject = ["role": .string(role), "iat": .int(now), "exp": .int(now + seconds)]
        if let subject { claims["sub"] = .string(subject) }
        return .string(signer.sign(claims.serialized()))
    }

    /// Writes a file that only its owner reads, whole or not at all.
    static func write(_ text: [UInt8], to path: String) throws(CommandError) {
        let temporary = path + ".new"
        // Never through a link: as root this also writes into the folder of the server's user.
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw CommandError("'\(temporary)' cannot be written: \(self.reason)") }
        let written = text.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        let isSafe = written == text.count && fchmod(descriptor, 0o600) == 0 && fsync(descriptor) == 0
        close(descriptor)
        guard isSafe, rename(temporary, path) == 0 else {
            throw CommandError("'\(path)' cannot be written: \(self.reason)")
        }
    }

    private static var reason: String { String(cString: strerror(errno)) }
}
