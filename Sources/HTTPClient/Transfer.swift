internal import CCurl
internal import Glibc
internal import Support

/// One request on its way; owns one easy handle.
final class Transfer: @unchecked Sendable {
    // Sendable because, once handed to the loop, all but `isCancelled` is touched by the loop's thread only.
    let handle: UnsafeMutableRawPointer
    /// What it takes of the queue.
    let bytes: Int
    /// Set by any thread, even before the loop knows the transfer.
    let isCancelled = Locked(false)
    private let maxBodyBytes: Int
    private let addressGuard: AddressGuard?
    /// libcurl's list of header lines and of other addresses; it reads them until the transfer ends.
    private var lines: UnsafeMutablePointer<curl_slist>?
    private var connectTo: UnsafeMutablePointer<curl_slist>?
    private var headers: [(name: String, value: String)] = []
    private var status = 0
    private var isHeaderWhole = false
    private var headerBytes = 0
    private var body: [UInt8] = []
    private var isTooLarge = false
    private var isAddressRefused = false

    private static let longestHeader = 32 * 1024

    /// - Throws: `.invalidURL` for a URL that libcurl does not take, `.invalidHeader` for a header no request can hold.
    init(_ request: HTTPSession.Request, configuration: HTTPConfiguration) throws(HTTPError) {
        guard Library.isReady, let handle = curl_easy_init() else {
            throw HTTPError(.transport, "libcurl cannot be used")
        }
        self.handle = handle
        self.bytes = request.bytes
        self.maxBodyBytes = configuration.maxBodyBytes
        self.addressGuard = configuration.addressGuard
        let isCleartext = request.url.hasPrefix("http://")
        guard request.url.hasPrefix("https://") || isCleartext && configuration.allowsCleartext else {
            throw HTTPError(.invalidURL, "the URL is not https")
        }
        let context = Unmanaged.passUnretained(self).toOpaque()
        var results = [
            parley_curl_set_string(handle, CURLOPT_URL, request.url),
            // A body of gzip would have no limit once it is unpacked: none is asked for.
            parley_curl_set_string(handle, CURLOPT_USERAGENT, "parley"),
            parley_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, isCleartext ? "http" : "https"),
            parley_curl_set_string(handle, CURLOPT_REDIR_PROTOCOLS_STR, "https"),
            parley_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0),
            // The answer of a proxy to CONNECT is not the provider's.
            parley_curl_set_long(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1),
            // Signals belong to the program, and libcurl is on a thread of its own.
            parley_curl_set_long(handle, CURLOPT_NOSIGNAL, 1),
            parley_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(configuration.connectTimeout)),
            parley_curl_set_long(handle, CURLOPT_TIMEOUT_MS, Self.milliseconds(configuration.timeout)),
            parley_curl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 1),
            parley_curl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 2),
            parley_curl_set_long(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS)),
            parley_curl_set_long(handle, CURLOPT_PIPEWAIT, configuration.maxConnectionsPerHost > 0 ? 1 : 0),
            parley_curl_set_long(handle, CURLOPT_FRESH_CONNECT, request.freshConnection ? 1 : 0),
            parley_curl_set_long(handle, CURLOPT_MAXFILESIZE, configuration.maxBodyBytes),
            parley_curl_set_write(handle, CURLOPT_WRITEFUNCTION, receiveBody),
            parley_curl_set_pointer(handle, CURLOPT_WRITEDATA, context),
            parley_curl_set_write(handle, CURLOPT_HEADERFUNCTION, receiveHeader),
            parley_curl_set_pointer(handle, CURLOPT_HEADERDATA, context),
        ]
        // A proxy would see what is meant for this machine, and would connect to what the guard refuses.
        if isCleartext || configuration.addressGuard != nil {
            results.append(parley_curl_set_string(handle, CURLOPT_NOPROXY, "*"))
        }
        if configuration.addressGuard != nil {
            results.append(parley_curl_set_open_socket(handle, openSocket))
            results.append(parley_curl_set_pointer(handle, CURLOPT_OPENSOCKETDATA, context))
        }
        if let path = configuration.certificateAuthority {
            results.append(parley_curl_set_string(handle, CURLOPT_CAINFO, path))
            // The system's directory of authorities would count as well.
            results.append(parley_curl_set_string(handle, CURLOPT_CAPATH, nil))
        }
        if request.method == .post {
            results.append(parley_curl_set_body(handle, request.body, request.body.count))
        }
        for (name, value) in request.headers {
            guard !(name + value).utf8.contains(where: { $0 < 0x20 && $0 != 9 || $0 == 0x7f }) else {
                throw HTTPError(.invalidHeader, "the header \(name) holds a control character")
            }
            self.lines = curl_slist_append(self.lines, value.isEmpty ? name + ";" : name + ": " + value)
        }
        // Of libcurl's own, which no server of ours waits for.
        self.lines = curl_slist_append(self.lines, "Expect:")
        results.append(parley_curl_set_pointer(handle, CURLOPT_HTTPHEADER, self.lines))
        for entry in configuration.connectTo { self.connectTo = curl_slist_append(self.connectTo, entry) }
        results.append(parley_curl_set_pointer(handle, CURLOPT_CONNECT_TO, self.connectTo))
        if let failure = results.first(where: { $0 != CURLE_OK }) { throw HTTPError(failure) }
    }

    deinit {
        curl_easy_cleanup(self.handle)
        curl_slist_free_all(self.lines)
        curl_slist_free_all(self.connectTo)
    }

    /// Takes a piece of the body; false if that is more than allowed.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard self.body.count + bytes.count <= self.maxBodyBytes else {
            self.isTooLarge = true
            return false
        }
        self.body.append(contentsOf: bytes)
        return true
    }

    /// Takes one line of the header, status lines included; false if that is more than allowed.
    func receive(line: UnsafeRawBufferPointer) -> Bool {
        self.headerBytes += line.count
        guard self.headerBytes <= Self.longestHeader else {
            self.isTooLarge = true
            return false
        }
        // A status line: what came before belonged to an interim answer.
        if line.starts(with: Array("HTTP/".utf8)) {
            self.headers = []
            self.isHeaderWhole = false
            let words = String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace)
            self.status = words.dropFirst().first.flatMap { Int($0) } ?? 0
        }
        if line.allSatisfy({ $0 <= 0x20 }) { self.isHeaderWhole = true }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return true }
        func text(_ part: Slice<UnsafeRawBufferPointer>) -> String {
            String(decoding: part.trimming { $0 <= 0x20 }, as: UTF8.self)
        }
        self.headers.append((text(line[..<colon]).lowercased(), text(line[(colon + 1)...])))
        return true
    }

    /// A socket for the address, or none.
    fileprivate func open(_ address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        let isAdmitted = withUnsafePointer(to: &address.pointee.addr) { pointer in
            self.addressGuard?.admits(pointer, length: Int(address.pointee.addrlen)) ?? true
        }
        guard isAdmitted else {
            self.isAddressRefused = true
            return curl_socket_t(-1)
        }
        return socket(
            address.pointee.family, address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue), address.pointee.protocol)
    }

    /// The answer is here in full, and said how long it is.
    private var isWhole: Bool {
        guard self.isHeaderWhole, self.status >= 200 else { return false }
        if [204, 304].contains(self.status) { return true }
        return self.headers.last { $0.name == "content-length" }.map { Int($0.value) == self.body.count } ?? false
    }

    /// The answer, once libcurl says that the transfer is over.
    func outcome(_ result: CURLcode) -> Result<HTTPSession.Response, HTTPError> {
        // Who has answered in full may end the stream before all of the request is there (RFC 9113, 8.1). libcurl 7.88
        // takes that for a failure, or waits for the end of the request until its time is over.
        guard result == CURLE_OK || (self.isWhole && !self.isTooLarge && !self.isAddressRefused) else {
            return .failure(HTTPError(result, isTooLarge: self.isTooLarge, isAddressRefused: self.isAddressRefused))
        }
        var version = 0
        parley_curl_get_long(self.handle, CURLINFO_HTTP_VERSION, &version)
        return .success(
            HTTPSession.Response(
                status: self.status, headers: self.headers, body: self.body,
                httpVersion: version >= Int(CURL_HTTP_VERSION_2_0) ? 2 : 1))
    }

    private static func milliseconds(_ time: Duration) -> Int {
        Int(time.components.seconds) * 1000 + Int(time.components.attoseconds / 1_000_000_000_000_000)
    }
}

extension Collection where Self == Self.SubSequence {
    /// Without the elements at both ends that match.
    fileprivate func trimming(_ matches: (Element) -> Bool) -> Self where Self: BidirectionalCollection {
        var rest = self.drop(while: matches)
        while let last = rest.last, matches(last) { rest = rest.dropLast() }
        return rest
    }
}

/// libcurl's write callback, called on the loop's thread while the transfer is in the multi handle. `context` is the
/// transfer, which the loop keeps alive until it has taken the handle out. Any result but `count` ends the transfer.
private func receiveBody(
    bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int, context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    // "size is always 1", says CURLOPT_WRITEFUNCTION(3).
    return transfer.receive(UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
}

/// libcurl's header callback; the same rules.
private func receiveHeader(
    bytes: UnsafeMutablePointer<CChar>?, size: Int, count: Int, context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    return transfer.receive(line: UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
}

/// libcurl's callback in place of socket(2); the same rules. -1 (CURL_SOCKET_BAD) refuses the address.
private func openSocket(
    context: UnsafeMutableRawPointer?, purpose: curlsocktype, address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let context, let address else { return -1 }
    return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().open(address)
}

/// libcurl as a whole.
private enum Library {
    /// Initialised once per process, before any handle.
    static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
}
