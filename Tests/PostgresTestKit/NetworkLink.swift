internal import CLinux
internal import Glibc

/// A network of two ends that can be cut: this machine's, and one that code runs in. Needs root. Call `remove` when done.
public struct NetworkLink: Sendable {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    public static var isPossible: Bool { geteuid() == 0 }

    /// Where the other end reaches this machine.
    public let address: String
    private let name: String
    private let device: String

    public static func make() async throws -> NetworkLink {
        let name = TestDatabase.uniqueName("parley")
        // Names of devices have 15 bytes.
        let device = "pg\(UInt32.random(in: 0...UInt32.max))"
        let net = "10.\(Int.random(in: 64..<128)).\(Int.random(in: 0..<256))"
        let link = NetworkLink(address: "\(net).1", name: name, device: device)
        do {
            try await link.run(["netns", "add", name])
            try await link.run(["link", "add", device, "type", "veth", "peer", "name", "far", "netns", name])
            try await link.run(["addr", "add", "\(net).1/24", "dev", device])
            try await link.run(["link", "set", device, "up"])
            try await link.run(["-n", name, "addr", "add", "\(net).2/24", "dev", "far"])
            try await link.run(["-n", name, "link", "set", "far", "up"])
        } catch {
            link.remove()
            throw error
        }
        return link
    }

    /// Runs code at the other end; so do the threads that it starts, and sockets stay where they were made.
    public func inside<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await blocking {
            let here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
            let there = open("/run/netns/\(self.name)", O_RDONLY | O_CLOEXEC)
            defer {
                close(here)
                close(there)
            }
            guard clinux_enter_network(there) == 0 else { throw Failure(description: "setns failed: \(errno)") }
            // The thread belongs to a queue and will do other things.
            defer { precondition(clinux_enter_network(here) == 0, "there is no way back") }
            return try body()
        }
    }

    /// From now on what is sent at either end is lost, and nobody is told.
    public func cut() async throws { try await self.run(["-n", self.name, "link", "set", "far", "down"]) }

    /// Takes it away, and its devices with it; sockets that are still open at the other end keep the rest of it.
    public func remove() {
        if let child = try? ChildProcess(["ip", "netns", "del", self.name]) { _ = child.wait() }
    }

    private func run(_ arguments: [String]) async throws {
        try await blocking {
            let child = try ChildProcess(["ip"] + arguments)
            _ = child.readToEnd()
            let code = child.wait()
            guard code == 0 else { throw Failure(description: "ip \(arguments) failed: \(code)") }
        }
    }
}
