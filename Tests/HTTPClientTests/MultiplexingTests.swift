import ParleyCore
import PushTestKit
import Support
import Testing

@testable import HTTPClient

/// Against a server that is strict about the streams it allows.
@Suite(.timeLimit(.minutes(1)), .serialized) struct MultiplexingTests {
    private let slow = JSONValue.number(JSONNumber("0.02") ?? JSONNumber(0))

    private func session(_ gateway: PushGateway, _ adjust: (inout HTTPConfiguration) -> Void = { _ in }) -> HTTPSession
    {
        var configuration = HTTPConfiguration(certificateAuthority: gateway.certificate)
        configuration.maxConnectionsPerHost = 1
        configuration.maxRequests = 1000
        adjust(&configuration)
        return HTTPSession(configuration)
    }

    /// Answers are what they are: the tokens are refused, which is an answer.
    private func burst(_ count: Int, _ session: HTTPSession, _ url: String) async -> [Result<Int, HTTPError>] {
        await withTaskGroup(of: Result<Int, HTTPError>.self) { group in
            for _ in 0..<count {
                group.addTask {
                    do throws(HTTPError) {
                        let answer = try await session.send(.init(.post, url, body: Array("{}".utf8)))
                        return answer.httpVersion == 2 ? .success(answer.status) : .success(0)
                    } catch { return .failure(error) }
                }
            }
            var results: [Result<Int, HTTPError>] = []
            for await result in group { results.append(result) }
            return results
        }
    }

    @Test func manyRequestsShareOneConnectionWithinItsStreams() async throws {
        let gateway = try await PushGateway()
        try await gateway.set(["prime": false, "max_streams": 20, "script": ["none": [["delay": slow]]]])
        let session = self.session(gateway)
        // How many streams the server allows is known from its first frame on.
        _ = await self.burst(1, session, gateway.url("/3/device/none"))
        let results = await self.burst(300, session, gateway.url("/3/device/none"))
        #expect(results.allSatisfy { $0 == .success(400) })
        let state = try await gateway.state()
        #expect(state["connections"]?.int64 == 1)
        #expect(state["refused"]?.int64 == 0)
        #expect((2...20).contains(state["most_streams"]?.int64 ?? 0))
    }

    @Test func ourOwnCapOfStreamsHolds() async throws {
        let gateway = try await PushGateway()
        try await gateway.set(["prime": false, "max_streams": 100, "script": ["none": [["delay": slow]]]])
        let session = self.session(gateway) { $0.maxStreams = 5 }
        let results = await self.burst(100, session, gateway.url("/3/device/none"))
        #expect(results.allSatisfy { $0 == .success(400) })
        #expect(try await gateway.state()["most_streams"]?.int64 ?? 0 <= 5)
    }

    @Test func headersGoAndComeAndCannotBeForged() async throws {
        let gateway = try await PushGateway()
        try await gateway.set(["prime": false])
        let session = self.session(gateway)
        let answer = try await session.send(
            .init(.post, gateway.url("/3/device/none"), headers: [("Apns-Id", "one"), ("x-empty", "")], body: [1]))
        #expect(answer.status == 400 && answer.header("apns-id") == "one")
        let sent = try #require(try await gateway.received("apns").first?["headers"])
        #expect(sent["apns-id"] == "one" && sent["x-empty"] == "" && sent["expect"] == nil)
        await #expect(throws: HTTPError.self) {
            _ = try await session.send(.init(.post, gateway.url("/"), headers: [("a", "b\r\nc: d")]))
        }
    }

    @Test func aStreamThatHangsEndsAloneAndTheConnectionServesOn() async throws {
        let gateway = try await PushGateway()
        try await gateway.set(["prime": false, "script": ["token": [["hang": true], ["status": 400]]]])
        let session = self.session(gateway) { $0.timeout = .milliseconds(300) }
        let url = gateway.url("/token")
        let first = await self.burst(1, session, url)
        #expect(first.first.map { if case .failure(let error) = $0 { error.code == .timeout } else { false } } == true)
        let second = await self.burst(1, session, url)
        #expect(second == [.success(400)])
        let state = try await gateway.state()
        #expect(state["connections"]?.int64 == 1 && state["resets"]?.int64 == 1)
    }

    @Test func requestsThatAGoawayLeftOutAreRetriableAndTheNextOpensAConnection() async throws {
        let gateway = try await PushGateway()
        try await gateway.set([
            "prime": false, "script": ["token": [["status": 400], ["goaway": "before"], ["status": 400]]],
        ])
        let session = self.session(gateway)
        let url = gateway.url("/token")
        #expect(await self.burst(1, session, url) == [.success(400)])
        for result in await self.burst(1, session, url) {
            if case .failure(let error) = result {
                #expect(error.isRetriable)
            } else {
                #expect(result == .success(400))
            }
        }
        #expect(await self.burst(1, session, url) == [.success(400)])
        #expect(try await gateway.state()["connections"]?.int64 == 2)
    }

    @Test func boundsTheBytesUnderWay() async throws {
        let gateway = try await PushGateway()
        try await gateway.set(["prime": false, "script": ["token": [["hang": true]]]])
        let session = self.session(gateway) { $0.maxRequestBytes = 1000 }
        let url = gateway.url("/token")
        let held = Task { try await session.send(.init(.post, url, body: [UInt8](repeating: 1, count: 600))) }
        while try await gateway.state()["log"]?.array?.count != 1 { try await Task.sleep(for: .milliseconds(5)) }
        do throws(HTTPError) {
            _ = try await session.send(.init(.post, url, body: [UInt8](repeating: 1, count: 600)))
            Issue.record("taken")
        } catch { #expect(error.code == .queueFull) }
        held.cancel()
        _ = await held.result
        let after = try await session.send(.init(.post, gateway.url("/none"), body: [UInt8](repeating: 1, count: 600)))
        #expect(after.status == 404)
    }

    @Test func theGuardLooksAtTheAddressThatIsConnected() async throws {
        let gateway = try await PushGateway()
        let url = gateway.url("/none")
        let guarded = self.session(gateway) { $0.addressGuard = AddressGuard() }
        do throws(HTTPError) {
            _ = try await guarded.send(.init(.post, url))
            Issue.record("connected to this machine")
        } catch { #expect(error.code == .addressRefused && !error.isRetriable) }
        #expect(try await gateway.state()["log"] == [])
        let named = self.session(gateway) {
            $0.addressGuard = AddressGuard(allowed: [IPNetwork("127.0.0.0/8")].compactMap { $0 })
        }
        #expect(try await named.send(.init(.post, url)).status == 404)
        // Another name that leads to this machine: what counts is where the connection goes.
        let elsewhere = self.session(gateway) {
            $0.addressGuard = AddressGuard()
            $0.connectTo = ["push.example:443:127.0.0.1:\(gateway.port)"]
        }
        await #expect(throws: HTTPError.self) { _ = try await elsewhere.send(.init(.post, "https://push.example/")) }
    }
}

@Suite struct AddressGuardTests {
    @Test(arguments: [
        "8.8.8.8", "1.1.1.1", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111", "64:ff9b::808:808",
    ])
    func admitsThePublicInternet(text: String) throws {
        #expect(AddressGuard().admits(try #require(IPNetwork.address(text))))
    }

    @Test(arguments: [
        "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254",
        "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1",
        "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::",
        "2001:db8::1", "2001::1", "::127.0.0.1",
    ])
    func refusesTheRest(text: String) throws {
        #expect(!AddressGuard().admits(try #require(IPNetwork.address(text))))
    }

    @Test func admitsNetworksThatAreNamed() throws {
        let networks = ["10.1.0.0/16", "fd00:1::/32", "127.0.0.1"].compactMap { IPNetwork($0) }
        let named = AddressGuard(allowed: networks)
        for text in ["10.1.9.9", "fd00:1::5", "127.0.0.1", "8.8.8.8"] {
            #expect(named.admits(try #require(IPNetwork.address(text))))
        }
        for text in ["10.2.0.1", "fd00:2::5", "127.0.0.2"] {
            #expect(!named.admits(try #require(IPNetwork.address(text))))
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/-1", "x"] { #expect(IPNetwork(text) == nil) }
    }
}
