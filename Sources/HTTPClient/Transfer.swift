internal import CCurl
internal import Support

/// One request on its way; owns one easy handle.
final class Transfer: @unchecked Sendable {
    // Sendable because, once handed to the loop, all but `isCancelled` is touched by the loop's thread only.
    let handle: UnsafeMutableRawPointer
    /// Set by any thread, even before the loop knows the transfer.
    let isCancelled = Locked(false)
    private let maxBodyBytes: Int
    private var body: [UInt8] = []
    private var isTooLarge = false

    /// - Throws: `.invalidURL` for a URL that libcurl does not take.
    init(url: String, configuration: HTTPConfiguration) throws(HTTPError) {
        guard Library.isReady, let handle = curl_easy_init() else {
            throw HTTPError(.transport, "libcurl cannot be used")
        }
        self.handle = handle
        self.maxBodyBytes = configuration.maxBodyBytes
        let isCleartext = url.hasPrefix("http://")
        guard url.hasPrefix("https://") || isCleartext && configuration.allowsCleartext else {
            throw HTTPError(.invalidURL, "the URL is not https")
        }
        var results = [
            parley_curl_set_string(handle, CURLOPT_URL, url),
            // A body of gzip would have no limit once it is unpacked: none is asked for.
            parley_curl_set_string(handle, CURLOPT_USERAGENT, "parley"),
            parley_curl_set_string(handle, CURLOPT_PROTOCOLS_STR, isCleartext ? "http" : "https"),
            parley_curl_set_string(handle, CURLOPT_REDIR_PROTOCOLS_STR, "https"),
            parley_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0),
            // Signals belong to the program, and libcurl is on a thread of its own.
            parley_curl_set_long(handle, CURLOPT_NOSIGNAL, 1),
            parley_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(configuration.connectTimeout)),
            parley_curl_set_long(handle, CURLOPT_TIMEOUT_MS, Self.milliseconds(configuration.timeout)),
            parley_curl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 1),
            parley_curl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 2),
            parley_curl_set_long(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS)),
            parley_curl_set_long(handle, CURLOPT_MAXFILESIZE, configuration.maxBodyBytes),
            parley_curl_set_write(handle, receiveBody),
            parley_curl_set_pointer(handle, CURLOPT_WRITEDATA, Unmanaged.passUnretained(self).toOpaque()),
        ]
        // A proxy would see what is meant for this machine.
        if isCleartext { results.append(parley_curl_set_string(handle, CURLOPT_NOPROXY, "*")) }
        if let path = configuration.certificateAuthority {
            results.append(parley_curl_set_string(handle, CURLOPT_CAINFO, path))
            // The system's directory of authorities would count as well.
            results.append(parley_curl_set_string(handle, CURLOPT_CAPATH, nil))
        }
        if let failure = results.first(where: { $0 != CURLE_OK }) { throw HTTPError(failure, isTooLarge: false) }
    }

    deinit { curl_easy_cleanup(self.handle) }

    /// Takes a piece of the body; false if that is more than allowed.
    fileprivate func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard self.body.count + bytes.count <= self.maxBodyBytes else {
            self.isTooLarge = true
            return false
        }
        self.body.append(contentsOf: bytes)
        return true
    }

    /// The answer, once libcurl says that the transfer is over.
    func outcome(_ result: CURLcode) -> Result<HTTPSession.Response, HTTPError> {
        guard result == CURLE_OK else { return .failure(HTTPError(result, isTooLarge: self.isTooLarge)) }
        var status = 0
        parley_curl_get_long(self.handle, CURLINFO_RESPONSE_CODE, &status)
        return .success(HTTPSession.Response(status: status, body: self.body))
    }

    private static func milliseconds(_ time: Duration) -> Int {
        Int(time.components.seconds) * 1000 + Int(time.components.attoseconds / 1_000_000_000_000_000)
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

/// libcurl as a whole.
private enum Library {
    /// Initialised once per process, before any handle.
    static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
}
