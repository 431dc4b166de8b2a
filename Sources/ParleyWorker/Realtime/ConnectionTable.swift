internal import ParleyCore
internal import WebServer

/// Open connections by slot. A slot is used again, and remembers the last serial given out in it.
struct ConnectionTable {
    private var slots: [SocketConnection?] = []
    private var lastSerials: [UInt32] = []
    private var free: [UInt32] = []
    private(set) var count = 0

    /// The connection that holds a channel; nil when it is gone.
    subscript(_ slot: UInt32) -> SocketConnection? {
        let index = Int(slot)
        return index < self.slots.count ? self.slots[index] : nil
    }

    var all: [SocketConnection] { self.slots.compactMap { $0 } }

    /// Adds the connection that `make` builds for a slot and the last serial used in it.
    mutating func insert(_ make: (UInt32, UInt32) -> SocketConnection) -> SocketConnection {
        let slot: UInt32
        if let last = self.free.popLast() {
            slot = last
        } else {
            slot = UInt32(self.slots.count)
            self.slots.append(nil)
            self.lastSerials.append(0)
        }
        let connection = make(slot, self.lastSerials[Int(slot)])
        self.slots[Int(slot)] = connection
        self.count += 1
        return connection
    }

    mutating func remove(_ connection: SocketConnection) {
        let index = Int(connection.slot)
        guard self.slots[index] === connection else { return }
        self.lastSerials[index] = connection.session.lastSerial
        self.slots[index] = nil
        self.free.append(connection.slot)
        self.count -= 1
    }
}
