import CZlib
import Testing

@testable import Compression

@Suite struct GzipTests {
    @Test(arguments: [0, 1, 1000, 300_000])
    func anybodyCanUnpackIt(count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7 % 251) }
        let packed = Gzip.compress(bytes)
        #expect(packed.starts(with: [0x1f, 0x8b]))
        #expect(self.unpacked(packed, room: count + 1) == bytes)
    }

    private func unpacked(_ bytes: [UInt8], room: Int) -> [UInt8]? {
        var stream = z_stream()
        guard inflateInit2_(&stream, MAX_WBITS + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
        defer { inflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: room)
        let result = input.withUnsafeMutableBufferPointer { from in
            output.withUnsafeMutableBufferPointer { to in
                stream.next_in = from.baseAddress
                stream.avail_in = UInt32(from.count)
                stream.next_out = to.baseAddress
                stream.avail_out = UInt32(to.count)
                return inflate(&stream, Z_FINISH)
            }
        }
        return result == Z_STREAM_END ? Array(output.prefix(Int(stream.total_out))) : nil
    }
}
