/// Frames that wait for one connection, in order. It holds references, not copies. No I/O.
struct SendQueue {
    private var frames: ContiguousArray<Frame> = []
    /// The first frame that is not sent completely.
    private var head = 0
    /// Bytes of that frame that have left.
    private var offset = 0
    /// Bytes that wait.
    private(set) var bytes = 0

    var isEmpty: Bool { self.bytes == 0 }

    mutating func append(_ frame: Frame) {
        self.frames.append(frame)
        self.bytes += frame.bytes.count
    }

    /// Moves bytes from the front into `buffer` until it is full or the queue is empty.
    /// - Returns: how many.
    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        var filled = 0
        while self.head < self.frames.count, filled < buffer.count {
            let count = self.frames[self.head].bytes.withUnsafeBytes { bytes in
                let count = min(bytes.count - self.offset, buffer.count - filled)
                let source = UnsafeRawBufferPointer(rebasing: bytes[self.offset..<self.offset + count])
                UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count]).copyMemory(from: source)
                self.offset += count
                if self.offset == bytes.count {
                    self.offset = 0
                    self.head += 1
                }
                return count
            }
            filled += count
        }
        self.bytes -= filled
        self.compact()
        return filled
    }

    /// Drops every frame that has not begun to leave; the rest of one that has must follow, or the stream breaks.
    mutating func dropUnstarted() {
        let started = self.offset > 0 ? self.frames[self.head] : nil
        self.frames = []
        self.head = 0
        if let started {
            self.frames.append(started)
            self.bytes = started.bytes.count - self.offset
        } else {
            self.bytes = 0
        }
    }

    mutating func dropAll() { self = SendQueue() }

    private mutating func compact() {
        if self.head == self.frames.count {
            self.head = 0
            // Idle connections are many: only a small array is worth keeping.
            self.frames.removeAll(keepingCapacity: self.frames.capacity <= 16)
        } else if self.head >= 64, self.head * 2 >= self.frames.count {
            self.frames.removeFirst(self.head)
            self.head = 0
        }
    }
}
