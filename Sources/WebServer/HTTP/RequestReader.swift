/// Reads one request after another out of a byte stream, within limits. No I/O and no clock.
struct RequestReader {
    /// What the bytes so far amount to.
    enum Step {
        /// Everything was consumed and the request is not complete.
        case needsMore
        /// The headers are complete and a body is to follow; sent once, so that 100-continue can be answered.
        case awaitsBody(RequestHead)
        /// A request is complete; bytes after it are left in the input.
        case complete(RequestHead, body: [UInt8])
        /// The stream cannot be read on: answer and close.
        case failed(HTTPFailure)
    }

    private enum State {
        case head
        case body(RequestHead, remaining: Int)
        case chunked(RequestHead, ChunkedBody)
    }

    let maxHeaderBytes: Int
    let maxBodyBytes: Int
    private var state = State.head
    private var buffer: [UInt8] = []

    init(maxHeaderBytes: Int, maxBodyBytes: Int) {
        self.maxHeaderBytes = maxHeaderBytes
        self.maxBodyBytes = maxBodyBytes
    }

    /// Bytes of the unfinished request.
    var heldBytes: Int { self.buffer.count }

    /// True between requests: not a byte of the next one has come.
    var isIdle: Bool {
        if case .head = self.state { return self.buffer.isEmpty }
        return false
    }

    /// True when the headers of the current request are complete.
    var isReadingBody: Bool {
        if case .head = self.state { return false }
        return true
    }

    /// Consumes `input` from `index`, moving it on, up to the end of one step.
    mutating func read(_ input: UnsafeRawBufferPointer, _ index: inout Int) -> Step {
        do throws(HTTPFailure) {
            switch self.state {
            case .head: return try self.readHead(input, &index)
            case .body(let head, let remaining):
                let count = min(remaining, input.count - index)
                self.buffer.append(contentsOf: input[index..<index + count])
                index += count
                guard count == remaining else {
                    self.state = .body(head, remaining: remaining - count)
                    return .needsMore
                }
                return self.complete(head)
            case .chunked(let head, var body):
                try body.read(input, &index, into: &self.buffer, limit: self.maxBodyBytes)
                guard body.isComplete else {
                    self.state = .chunked(head, body)
                    return .needsMore
                }
                return self.complete(head)
            }
        } catch {
            return .failed(error)
        }
    }

    private mutating func complete(_ head: RequestHead) -> Step {
        let body = self.buffer
        self.buffer = []
        self.state = .head
        return .complete(head, body: body)
    }

    private mutating func readHead(
        _ input: UnsafeRawBufferPointer, _ index: inout Int
    ) throws(HTTPFailure) -> Step {
        // Empty lines before a request are read over (RFC 9112, 2.2).
        while self.buffer.isEmpty, index < input.count,
            input[index] == UInt8(ascii: "\r") || input[index] == UInt8(ascii: "\n")
        { index += 1 }
        let before = self.buffer.count
        let room = self.maxHeaderBytes + 4 - before
        let taken = min(room, input.count - index)
        self.buffer.append(contentsOf: input[index..<index + taken])
        guard let end = self.endOfHead(from: max(0, before - 3)) else {
            index += taken
            guard self.buffer.count < self.maxHeaderBytes + 4 else {
                if !self.buffer.contains(UInt8(ascii: "\n")) { throw HTTPFailure(414, "The request line is too long.") }
                throw HTTPFailure(431, "The request's headers are larger than \(self.maxHeaderBytes) bytes.")
            }
            return .needsMore
        }
        index += end + 4 - before
        let head = try RequestHead(parsing: self.buffer[..<end])
        self.buffer = []
        switch head.framing {
        case .none: return self.complete(head)
        case .length(let count):
            guard count <= self.maxBodyBytes else {
                throw HTTPFailure(413, "The body is larger than \(self.maxBodyBytes) bytes.")
            }
            self.state = .body(head, remaining: count)
            self.buffer.reserveCapacity(min(count, 64 * 1024))
        case .chunked: self.state = .chunked(head, ChunkedBody())
        }
        return .awaitsBody(head)
    }

    private func endOfHead(from start: Int) -> Int? {
        guard self.buffer.count >= 4 else { return nil }
        return self.buffer.withUnsafeBufferPointer { bytes in
            var at = start
            while at + 3 < bytes.count {
                if bytes[at + 3] == 10, bytes[at + 2] == 13, bytes[at + 1] == 10, bytes[at] == 13 { return at }
                at += 1
            }
            return nil
        }
    }
}
