/// Takes a chunked body apart (RFC 9112, 7.1). Extensions and trailers are read over.
struct ChunkedBody {
    private enum State { case size, data, dataEnd, trailer, done }

    private var state = State.size
    /// Bytes left of the current chunk.
    private var remaining = 0
    /// The size or trailer line read so far.
    private var line: [UInt8] = []
    private var trailerBytes = 0

    static let maxLine = 1024
    static let maxTrailer = 8 * 1024

    var isComplete: Bool { self.state == .done }

    /// Reads from `input` at `index`, moves it on, and appends payload to `body`, which may not exceed `limit` bytes.
    mutating func read(
        _ input: UnsafeRawBufferPointer, _ index: inout Int, into body: inout [UInt8], limit: Int
    ) throws(HTTPFailure) {
        while index < input.count, self.state != .done {
            switch self.state {
            case .data:
                let count = min(self.remaining, input.count - index)
                body.append(contentsOf: input[index..<index + count])
                index += count
                self.remaining -= count
                if self.remaining == 0 { self.state = .dataEnd }
            case .size:
                guard let line = try self.readLine(input, &index) else { return }
                self.remaining = try Self.chunkSize(line)
                guard body.count + self.remaining <= limit else {
                    throw HTTPFailure(413, "The body is larger than \(limit) bytes.")
                }
                self.state = self.remaining == 0 ? .trailer : .data
            case .dataEnd:
                guard let line = try self.readLine(input, &index) else { return }
                guard line.isEmpty else { throw HTTPFailure(400, "A chunk is longer than its size says.") }
                self.state = .size
            case .trailer:
                guard let line = try self.readLine(input, &index) else { return }
                self.trailerBytes += line.count
                guard self.trailerBytes <= Self.maxTrailer else { throw HTTPFailure(431, "The trailer is too large.") }
                if line.isEmpty { self.state = .done }
            case .done: return
            }
        }
    }

    private mutating func readLine(
        _ input: UnsafeRawBufferPointer, _ index: inout Int
    ) throws(HTTPFailure) -> [UInt8]? {
        while index < input.count {
            let byte = input[index]
            index += 1
            if byte == UInt8(ascii: "\n") {
                guard self.line.last == UInt8(ascii: "\r") else {
                    throw HTTPFailure(400, "A chunk's line does not end with CR LF.")
                }
                self.line.removeLast()
                defer { self.line.removeAll(keepingCapacity: true) }
                return self.line
            }
            self.line.append(byte)
            guard self.line.count <= Self.maxLine else { throw HTTPFailure(400, "A chunk's line is too long.") }
        }
        return nil
    }

    private static func chunkSize(_ line: [UInt8]) throws(HTTPFailure) -> Int {
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") && $0 != 9 }
        guard !digits.isEmpty, digits.count <= 8, let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
            digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-")
        else { throw HTTPFailure(400, "A chunk's size is not a number.") }
        return size
    }
}
