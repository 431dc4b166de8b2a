internal import Synchronization

/// Frames that wait for one connection, in order. It holds references, not copies. No I/O.
///
/// It has no bound of its own: ``Connection/send(_:)`` closes a socket before more than `maxQueuedBytes` wait, and an
/// answer is bounded by `maxAnswerBytes`, with at most one of them and `Connection.pipelineBytes` before it.
struct SendQueue {
    private var frames: ContiguousArray<Frame> = []
    /// The first frame that is not sent completely.
    private var head = 0
    /// Bytes of that frame that have left.
    private var offset = 0
    /// Bytes that wait.
    private(set) var bytes = 0
    /// Memory that this queue took or let go since ``settle()``; a frame counts for its first and last queue only.
    private var change = 0

    /// What has changed in the server's memory since the last call.
    mutating func settle() -> Int {
        defer { self.change = 0 }
        return self.change
    }

    private mutating func release(_ frame: Frame) {
        if frame.waiting.subtract(1, ordering: .relaxed).newValue == 0 { self.change -= frame.cost }
    }

    var isEmpty: Bool { self.bytes == 0 }

    mutating func append(_ frame: Frame) {
        self.frames.append(frame)
        self.bytes += frame.bytes.count
        if frame.waiting.add(1, ordering: .relaxed).newValue == 1 { self.change += frame.cost }
    }

    /// Moves bytes from the front into `buffer` until it is full or the queue is empty.
    /// - Returns: how many.
    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        var filled = 0
        while self.head < self.frames.count, filled < buffer.count {
            let frame = self.frames[self.head]
            let count = frame.bytes.withUnsafeBytes { bytes in
                let count = min(bytes.count - self.offset, buffer.count - filled)
                let source = UnsafeRawBufferPointer(rebasing: bytes[self.offset..<self.offset + count])
                UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count]).copyMemory(from: source)
                return count
            }
            self.offset += count
            if self.offset == frame.bytes.count {
                self.offset = 0
                self.head += 1
                self.release(frame)
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
        for frame in self.frames[(self.head + (started == nil ? 0 : 1))...] { self.release(frame) }
        self.frames = []
        self.head = 0
        if let started {
            self.frames.append(started)
            self.bytes = started.bytes.count - self.offset
        } else {
            self.bytes = 0
        }
    }

    mutating func dropAll() {
        for frame in self.frames[self.head...] { self.release(frame) }
        let change = self.change
        self = SendQueue()
        self.change = change
    }

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
