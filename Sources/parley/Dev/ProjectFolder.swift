internal import Crypto
internal import Glibc
internal import ParleyCore
internal import Support

/// The folder `.parley` of a project: the private Postgres, its secrets, and what others need to know of them.
struct ProjectFolder: Sendable {
    /// Absolute, without symbolic links.
    let path: String
    var devFile: String { self.path + "/dev.json" }
    var secretsFile: String { self.path + "/secrets.json" }
    var cluster: String { self.path + "/pg" }
    var exports: String { self.path + "/exports" }

    /// - Parameter project: the folder that holds, or will hold, `.parley`.
    init(in project: String) throws(CommandError) {
        guard let resolved = realpath(project, nil) else { throw CommandError("there is no folder '\(project)'") }
        defer { free(resolved) }
        self.path = String(cString: resolved) + "/.parley"
        // Others may pass through to the cluster, which may belong to another user, and see nothing else.
        guard mkdir(self.path, 0o711) == 0 || errno == EEXIST, chmod(self.path, 0o711) == 0 else {
            throw CommandError("'\(self.path)' cannot be made: \(String(cString: strerror(errno)))")
        }
    }

    /// Makes the folder for the exports of users, closed to others.
    func makeExports() throws(CommandError) {
        guard mkdir(self.exports, 0o700) == 0 || errno == EEXIST else {
            throw CommandError("'\(self.exports)' cannot be made: \(String(cString: strerror(errno)))")
        }
    }

    /// Holds the folder for this process until it ends, however it ends.
    ///
    /// - Throws: ``CommandError`` if another process holds it.
    func lock() throws(CommandError) {
        // Kept open on purpose: the lock goes with the descriptor.
        let descriptor = open(self.path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw CommandError("'\(self.path)/lock' cannot be opened") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw CommandError(
                "parley dev is already running in this folder", hint: "Its address is in \(self.devFile).")
        }
    }

    /// The secrets of the project, made once.
    func secrets() throws(CommandError) -> Secrets {
        if let known = Secrets(file: self.secretsFile) { return known }
        guard access(self.secretsFile, F_OK) != 0 else {
            throw CommandError(
                "'\(self.secretsFile)' cannot be read",
                hint: "Restore it, or start over by removing \(self.path) with all its data.")
        }
        let made = Secrets.random()
        try DevFile.write(made.json, to: self.secretsFile)
        return made
    }
}

/// What a project keeps to itself: the key of its tokens and the passwords of its cluster.
struct Secrets: Sendable, Equatable {
    let jwt: String
    let superuser: String
    let owner: String
    let worker: String

    static func random() -> Secrets {
        func text() -> String { Base64URL.encode(randomBytes(32)) }
        return Secrets(jwt: text(), superuser: text(), owner: text(), worker: text())
    }

    private init(jwt: String, superuser: String, owner: String, worker: String) {
        self.jwt = jwt
        self.superuser = superuser
        self.owner = owner
        self.worker = worker
    }

    /// Nil if the file is missing or is not one of ours.
    init?(file: String) {
        guard let bytes = try? FileText.bytes(of: file), let value = try? JSONValue.parse(bytes),
            let jwt = value["jwt_secret"]?.string, let superuser = value["superuser_password"]?.string,
            let owner = value["owner_password"]?.string, let worker = value["worker_password"]?.string
        else { return nil }
        self.init(jwt: jwt, superuser: superuser, owner: owner, worker: worker)
    }

    var json: [UInt8] {
        let object: JSONObject = [
            "jwt_secret": .string(self.jwt), "superuser_password": .string(self.superuser),
            "owner_password": .string(self.owner), "worker_password": .string(self.worker),
        ]
        return object.serialized()
    }
}
