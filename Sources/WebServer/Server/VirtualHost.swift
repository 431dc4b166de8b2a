internal import CWebSockets
internal import Glibc

/// The lws virtual host of one server: its callback table and TLS settings. Confined to the loop's thread.
///
/// lws keeps the pointers it is given as long as the context lives, so everything here is allocated, and freed with
/// this object, which the server drops after the context is gone.
///
/// Connections are adopted in lws's raw role: lws does TLS, reads, writes and closes; HTTP and WebSocket framing are
/// ours. Its own roles cannot be made to behave: the HTTP role hands out decoded paths only ("%2F" is lost), reads two
/// Content-Length headers as one, ignores Transfer-Encoding, and hangs up on bad requests without an answer; the
/// WebSocket role accepts unmasked client frames, which RFC 6455 5.1 forbids.
final class VirtualHost {
    private let protocols: UnsafeMutablePointer<lws_protocols>
    private let name: UnsafeMutablePointer<CChar>
    private var strings: [UnsafeMutablePointer<CChar>] = []
    /// Nil until it is open.
    private var pointer: OpaquePointer?
    private let tls: ServerConfiguration.TLS?

    init(tls: ServerConfiguration.TLS?) {
        self.tls = tls
        self.name = strdup("parley")
        self.protocols = .allocate(capacity: 2)
        self.protocols.initialize(repeating: lws_protocols(), count: 2)
        self.protocols[0].name = UnsafePointer(self.name)
        self.protocols[0].callback = connectionThunk
        self.protocols[0].tx_packet_size = LoopLimits.writeBytes
    }

    /// Makes it in the context. Whether or not that works, this object must outlive the context.
    func open(in context: OpaquePointer) throws(WebServerError) {
        let tls = self.tls
        for path in [tls?.certificatePath, tls?.keyPath].compactMap({ $0 }) where access(path, R_OK) != 0 {
            throw WebServerError(.certificateUnusable, "cannot read \(path)")
        }
        var info = lws_context_creation_info()
        info.protocols = UnsafePointer(self.protocols)
        info.vhost_name = UnsafePointer(self.name)
        info.port = Int32(CWS_NO_LISTEN)
        info.options = cws_context_options(tls == nil ? 0 : 1)
        if let tls {
            info.port = Int32(CWS_NO_LISTEN_TLS)
            info.ssl_cert_filepath = self.keep(tls.certificatePath)
            info.ssl_private_key_filepath = self.keep(tls.keyPath)
            // lws would offer HTTP/2 by default, and clients would take it.
            info.alpn = self.keep("http/1.1")
        }
        guard let made = lws_create_vhost(context, &info) else {
            if tls != nil {
                throw WebServerError(.certificateUnusable, "the certificate and key are not valid or not a pair")
            }
            throw WebServerError(.loopFailed, "libwebsockets could not make a virtual host")
        }
        self.pointer = made
    }

    /// A copy that lives as long as this object.
    private func keep(_ text: String) -> UnsafePointer<CChar> {
        let copy: UnsafeMutablePointer<CChar> = strdup(text)
        self.strings.append(copy)
        return UnsafePointer(copy)
    }

    deinit {
        self.protocols.deallocate()
        free(self.name)
        for string in self.strings { free(string) }
    }

    /// Has lws poll the listening socket. The listener must live until its close callback.
    func adopt(_ listener: Listener) -> Bool {
        self.adopt(listener, descriptor: listener.descriptor, type: LWS_ADOPT_RAW_FILE_DESC)
    }

    /// Hands an accepted socket to lws. The connection must live until its close callback.
    func adopt(_ connection: Connection, descriptor: Int32) -> Bool {
        let type = LWS_ADOPT_SOCKET.rawValue | (self.tls != nil ? LWS_ADOPT_ALLOW_SSL.rawValue : 0)
        return self.adopt(connection, descriptor: descriptor, type: lws_adoption_type(rawValue: type))
    }

    private func adopt(_ owner: AnyObject, descriptor: Int32, type: lws_adoption_type) -> Bool {
        guard let pointer = self.pointer else { return false }
        var info = lws_adopt_desc_t()
        info.vh = pointer
        info.type = type
        info.fd = cws_descriptor(descriptor)
        info.vh_prot_name = UnsafePointer(self.name)
        info.opaque = Unmanaged.passUnretained(owner).toOpaque()
        return lws_adopt_descriptor_vhost_via_info(&info) != nil
    }
}

/// The one door from lws into a server. lws calls it on the loop's thread, from within a service, adopt or destroy
/// call. `in` is valid during the call. The connection's opaque pointer is a ``Connection`` or ``Listener`` that the
/// server keeps until the close callback, where it is cleared.
private func connectionThunk(
    _ wsi: OpaquePointer?, _ reason: lws_callback_reasons, _ user: UnsafeMutableRawPointer?,
    _ input: UnsafeMutableRawPointer?, _ count: Int
) -> Int32 {
    switch reason {
    case LWS_CALLBACK_RAW_ADOPT: if let wsi { connection(of: wsi)?.adopted(wsi) }
    case LWS_CALLBACK_RAW_RX:
        guard let connection = connection(of: wsi) else { return -1 }
        // After a TLS handshake lws allows so many seconds for its own roles to negotiate; ours have deadlines.
        if lws_is_ssl(wsi) != 0 { lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0) }
        connection.server.received(connection, UnsafeRawBufferPointer(start: input, count: count))
    case LWS_CALLBACK_RAW_WRITEABLE:
        guard let connection = connection(of: wsi) else { return -1 }
        connection.server.writable(connection)
    case LWS_CALLBACK_RAW_CLOSE:
        guard let connection = connection(of: wsi) else { return 0 }
        lws_set_opaque_user_data(wsi, nil)
        connection.gone()
    case LWS_CALLBACK_RAW_ADOPT_FILE: if let wsi { listener(of: wsi)?.adopted(wsi) }
    case LWS_CALLBACK_RAW_RX_FILE: listener(of: wsi)?.acceptWaiting()
    case LWS_CALLBACK_RAW_CLOSE_FILE:
        listener(of: wsi)?.gone()
        lws_set_opaque_user_data(wsi, nil)
    default: break
    }
    return 0
}

private func connection(of wsi: OpaquePointer?) -> Connection? {
    lws_get_opaque_user_data(wsi).map { Unmanaged<Connection>.fromOpaque($0).takeUnretainedValue() }
}

private func listener(of wsi: OpaquePointer?) -> Listener? {
    lws_get_opaque_user_data(wsi).map { Unmanaged<Listener>.fromOpaque($0).takeUnretainedValue() }
}
