internal import COpenSSL

/// AES with a key of 128 bits in Galois/Counter Mode (NIST SP 800-38D).
public enum AES128GCM {
    /// The ciphertext and, behind it, the tag of 16 bytes.
    ///
    /// - Parameters:
    ///   - key: 16 bytes.
    ///   - nonce: 12 bytes; never twice with one key.
    public static func seal(_ plaintext: [UInt8], key: [UInt8], nonce: [UInt8]) -> [UInt8] {
        precondition(key.count == 16 && nonce.count == 12, "a key has 16 bytes and a nonce 12")
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        var out = [UInt8](repeating: 0, count: plaintext.count)
        var tag = [UInt8](repeating: 0, count: 16)
        var count: Int32 = 0
        var rest: Int32 = 0
        let isDone =
            EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nil, key, nonce) == 1
            && EVP_EncryptUpdate(context, &out, &count, plaintext, Int32(plaintext.count)) == 1
            && EVP_EncryptFinal_ex(context, &tag, &rest) == 1 && rest == 0 && Int(count) == plaintext.count
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tag) == 1
        precondition(isDone, "AES-128-GCM is not available")
        return out + tag
    }
}
