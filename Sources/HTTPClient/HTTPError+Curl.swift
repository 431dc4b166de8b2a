internal import CCurl

extension HTTPError {
    /// What libcurl's result of a transfer means.
    ///
    /// - Parameters:
    ///   - isTooLarge: the write callback refused the body; libcurl then reports a write error.
    ///   - isAddressRefused: the guard refused an address; libcurl then cannot connect.
    init(_ result: CURLcode, isTooLarge: Bool = false, isAddressRefused: Bool = false) {
        let code: Code
        switch result {
        case CURLE_WRITE_ERROR where isTooLarge, CURLE_FILESIZE_EXCEEDED: code = .tooLarge
        case CURLE_COULDNT_CONNECT where isAddressRefused: code = .addressRefused
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: code = .invalidURL
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT: code = .connectFailed
        case CURLE_OPERATION_TIMEDOUT: code = .timeout
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM:
            code = .tls
        default: code = .transport
        }
        let message =
            switch code {
            case .tooLarge: "the answer is too large"
            case .addressRefused: "the host is at an address that may not be connected to"
            default: String(cString: curl_easy_strerror(result))
            }
        self.init(code, curlCode: Int(result.rawValue), message)
    }
}
