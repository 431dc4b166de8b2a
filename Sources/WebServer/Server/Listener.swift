internal import CLinux
internal import CWebSockets
internal import Glibc
internal import Support

/// The listening socket. It accepts by itself: lws's own listener spins when descriptors run out. Loop-confined.
final class Listener {
    let descriptor: Int32
    let port: Int
    private var wsi: OpaquePointer?
    /// lws has the descriptor, and closes it.
    private var isAdopted = false
    private unowned let server: ServerCore

    /// Connections taken per turn, so that a storm leaves time for those that are open.
    private static let perTurn = 64

    init(host: String, port: Int, server: ServerCore) throws(WebServerError) {
        (self.descriptor, self.port) = try Self.bind(host, port)
        self.server = server
    }

    deinit { if !self.isAdopted { Glibc.close(self.descriptor) } }

    /// Accepts what waits. Called by lws when the socket is readable.
    func acceptWaiting() {
        for _ in 0..<Self.perTurn {
            var address = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let accepted = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    clinux_accept(self.descriptor, $0, &length)
                }
            }
            if accepted >= 0 {
                self.server.admit(accepted, peer: PeerAddress(&address, length))
                continue
            }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN: return
            default: return self.rest(errno)
            }
        }
    }

    /// No descriptors or memory: waiting connections stay in the kernel's backlog, and nobody spins.
    private func rest(_ code: Int32) {
        self.server.log.warning("accept paused", [("errno", "\(code)")])
        self.listen(false)
        let bound = LoopBound(self, thread: self.server.loop.thread)
        self.server.loop.schedule(after: .milliseconds(250)) { bound.onLoop.listen(true) }
    }

    private func listen(_ isListening: Bool) {
        guard let wsi else { return }
        lws_rx_flow_control(wsi, isListening ? 1 : 0)
        self.server.loop.context.watch(self.descriptor, isListening ? [.readable] : [], isNew: false)
    }

    /// lws has taken the socket over.
    func adopted(_ wsi: OpaquePointer) {
        self.wsi = wsi
        self.isAdopted = true
        self.server.loop.context.watch(self.descriptor, [.readable], isNew: true)
    }

    /// Stops listening. Must not be called from within ``acceptWaiting()``. One that was never adopted closes with its
    /// last reference.
    func close() { if let wsi { cws_close_now(wsi) } }

    /// lws has taken the socket out of its table and is about to close it.
    func gone() { self.wsi = nil }

    private static func bind(_ host: String, _ port: Int) throws(WebServerError) -> (Int32, Int) {
        let place = "\(host) port \(port)"
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard (0...65535).contains(port), getaddrinfo(host, "\(port)", &hints, &list) == 0, let first = list else {
            throw WebServerError(.addressUnusable, "\(place) is not a local address or host name and a port")
        }
        defer { freeaddrinfo(first) }
        // A name such as localhost may stand for an address of each family: the older one is what clients try, too.
        let all = sequence(first: first, next: { $0.pointee.ai_next })
        let found = all.first { $0.pointee.ai_family == AF_INET } ?? first
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(found.pointee.ai_family, type, 0)
        guard descriptor >= 0 else {
            throw WebServerError(.addressUnusable, "no socket for \(place): \(reason(errno))")
        }
        // Accepted sockets inherit these: small frames must not wait, and a vanished peer must be found within 90
        // seconds, whether the connection is idle (probes) or has bytes that nobody acknowledges (the user timeout).
        let tcp = Int32(IPPROTO_TCP)
        for (level, option, value) in [
            (SOL_SOCKET, SO_REUSEADDR, 1), (tcp, TCP_NODELAY, 1), (SOL_SOCKET, SO_KEEPALIVE, 1),
            (tcp, TCP_KEEPIDLE, 60), (tcp, TCP_KEEPINTVL, 10), (tcp, TCP_KEEPCNT, 3), (tcp, TCP_USER_TIMEOUT, 90_000),
        ] as [(Int32, Int32, Int32)] {
            var value = value
            setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
        guard Glibc.bind(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0,
            Glibc.listen(descriptor, 4096) == 0
        else {
            let text = reason(errno)
            Glibc.close(descriptor)
            throw WebServerError(.addressUnusable, "cannot listen on \(place): \(text)")
        }
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        // The port is at the same place in both address families.
        let bound = withUnsafeBytes(of: &address) { Int($0[2]) << 8 | Int($0[3]) }
        return (descriptor, bound)
    }

    /// What went wrong, and what to do about it.
    private static func reason(_ code: Int32) -> String {
        switch code {
        case EADDRINUSE: "another program listens there; stop it or choose another port"
        case EADDRNOTAVAIL: "this machine has no such address"
        case EACCES: "a port below 1024 needs the right to bind it (CAP_NET_BIND_SERVICE); choose a higher one"
        default: String(cString: strerror(code))
        }
    }
}
