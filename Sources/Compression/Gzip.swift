internal import CZlib

/// The gzip format (RFC 1952), as small as zlib makes it.
public enum Gzip {
    public static func compress(_ bytes: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        // Both fail only for want of memory, or for a stream that was not set up.
        precondition(parley_gzip_init(&stream) == Z_OK, "zlib could not be set up")
        defer { deflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))))
        let result = input.withUnsafeMutableBufferPointer { from in
            output.withUnsafeMutableBufferPointer { to in
                stream.next_in = from.baseAddress
                stream.avail_in = UInt32(from.count)
                stream.next_out = to.baseAddress
                stream.avail_out = UInt32(to.count)
                return deflate(&stream, Z_FINISH)
            }
        }
        precondition(result == Z_STREAM_END, "the bound of zlib was too small")
        return Array(output.prefix(Int(stream.total_out)))
    }
}
