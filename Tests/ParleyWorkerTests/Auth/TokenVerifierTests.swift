import Crypto
import FoundationEssentials
import Support
import Testing

@testable import ParleyWorker

@Suite(.timeLimit(.minutes(1))) struct TokenVerifierTests {
    /// A key set that a test changes, and that counts how often it is read.
    private final class Source: Sendable {
        let state = Locked<(answer: Result<String, KeySetError>, reads: Int)>((.success(#"{"keys":[]}"#), 0))
        let now = Locked<Int64>(1000)

        @Sendable func load() async throws -> [UInt8] {
            let answer = self.state.withLock { state in
                state.reads += 1
                return state.answer
            }
            return Array(try answer.get().utf8)
        }

        @Sendable func clock() -> Int64 { self.now.withLock { $0 } }

        func publish(_ keys: [String: [UInt8]]) {
            let list = keys.map { #"{"kty":"oct","kid":"\#($0)","k":"\#(Base64URL.encode($1))"}"# }
            self.state.withLock { $0.answer = .success(#"{"keys":[\#(list.joined(separator: ","))]}"#) }
        }

        var reads: Int { self.state.withLock { $0.reads } }
    }

    private func token(_ kid: String, _ secret: [UInt8]) -> String {
        let input = [#"{"alg":"HS256","kid":"\#(kid)"}"#, #"{"role":"authenticated","exp":2000}"#]
            .map { Base64URL.encode(Array($0.utf8)) }.joined(separator: ".")
        return input + "." + Base64URL.encode(hmacSHA256(key: secret, Array(input.utf8)))
    }

    private func code(_ verifier: TokenVerifier, _ token: String) -> JWTError.Code? {
        do throws(JWTError) {
            _ = try verifier.verify(token, now: 1000)
            return nil
        } catch {
            return error.code
        }
    }

    /// Runs the verifier's service for the length of `body`.
    private func running(_ source: Source, _ body: (TokenVerifier) async throws -> Void) async throws {
        let log = Log(label: "test", sink: { _ in })
        let verifier = TokenVerifier(secret: nil, policy: JWTPolicy(), load: source.load, clock: source.clock, log: log)
        let task = Task { try await verifier.run() }
        defer { task.cancel() }
        try await body(verifier)
    }

    private func eventually(_ condition: () -> Bool) async throws {
        while !condition() { try await Task.sleep(for: .milliseconds(5)) }
    }

    @Test func followsTheKeysAndKeepsTheLastGoodOnes() async throws {
        let source = Source()
        let (old, new) = (randomBytes(32), randomBytes(32))
        source.publish(["old": old])
        try await self.running(source) { verifier in
            // Not loaded yet: a token with a name asks for it.
            #expect(self.code(verifier, self.token("old", old)) == .noKey)
            try await self.eventually { self.code(verifier, self.token("old", old)) == nil }

            // The source breaks: what was good stays good.
            for broken: Result<String, KeySetError> in [
                .failure(KeySetError("out")), .success("<html>"), .success(#"{"keys":[]}"#),
            ] {
                source.state.withLock { $0.answer = broken }
                let before = source.reads
                // The end of the fetch before may be told after the clock was moved: it moves until the next one begins.
                try await self.eventually {
                    source.now.withLock { $0 += KeySetRefresh.period }
                    return source.reads > before
                }
                #expect(self.code(verifier, self.token("old", old)) == nil)
            }

            // A rotation: the unknown key has the set read again, and the withdrawn one stops counting.
            source.publish(["new": new])
            try await self.eventually {
                source.now.withLock { $0 += KeySetRefresh.unknownKeyPause }
                return self.code(verifier, self.token("new", new)) == nil
            }
            #expect(verifier.keyIDs == ["new"])
            #expect(self.code(verifier, self.token("old", old)) == .noKey)
        }
    }

    @Test func readsOnceForManyUnknownKeys() async throws {
        let source = Source()
        source.publish(["known": randomBytes(32)])
        try await self.running(source) { verifier in
            _ = self.code(verifier, self.token("x", []))
            try await self.eventually { verifier.keyIDs == ["known"] }
            let before = source.reads
            source.now.withLock { $0 += KeySetRefresh.unknownKeyPause }
            for index in 0..<1000 { #expect(self.code(verifier, self.token("x\(index)", [])) == .noKey) }
            try await self.eventually { source.reads > before }
            for index in 0..<1000 { #expect(self.code(verifier, self.token("y\(index)", [])) == .noKey) }
            try await Task.sleep(for: .milliseconds(50))
            #expect(source.reads == before + 1)
        }
    }

    @Test func refusesToStartWithAnUnusableFile() async throws {
        let path = FileManager.default.temporaryDirectory.path + "/parley-keys-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var configuration = ServeConfiguration()
        configuration.jwks = path
        let log = Log(label: "test", sink: { _ in })
        for text in [nil, "", "{}", #"{"keys":[]}"#, #"{"keys":[{"kty":"oct","kid":"a","k":"AA"}]}"#] {
            if let text { try Data(text.utf8).write(to: URL(filePath: path)) }
            await #expect(throws: ConfigurationError.self) { try await TokenVerifier.make(configuration, log: log) }
        }
        let secret = randomBytes(32)
        let set = #"{"keys":[{"kty":"oct","kid":"a","k":"\#(Base64URL.encode(secret))"}]}"#
        try Data(set.utf8).write(to: URL(filePath: path))
        let verifier = try await TokenVerifier.make(configuration, log: log)
        #expect(self.code(verifier, self.token("a", secret)) == nil)
    }

    /// An identity provider that is down must not keep the worker down.
    @Test func startsWhenTheURLDoesNotAnswer() async throws {
        var configuration = ServeConfiguration()
        configuration.jwks = "http://127.0.0.1:1/keys"
        configuration.jwtSecret = String(repeating: "s", count: 32)
        let verifier = try await TokenVerifier.make(configuration, log: Log(label: "test", sink: { _ in }))
        #expect(self.code(verifier, self.token("x", Array("wrong".utf8))) == .badSignature)
        configuration.jwtSecret = "short"
        await #expect(throws: ConfigurationError.self) {
            try await TokenVerifier.make(configuration, log: Log(label: "test", sink: { _ in }))
        }
    }
}
