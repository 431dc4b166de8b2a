import Testing

@testable import ParleyWorker
