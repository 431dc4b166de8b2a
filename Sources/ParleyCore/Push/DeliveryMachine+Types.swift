extension DeliveryMachine {
    public enum Event: Sendable, Equatable {
        case claimed([PushJob])
        case answered(String, PushAnswer)
        /// A provider token, good for that long.
        case renewed(String, life: Duration)
        /// `isRefused`: asking again with the same credentials is of no use.
        case renewalFailed(reason: String, isRefused: Bool)
        /// The time of the last `wake` has come.
        case woke
        case drain
    }

    public enum Action: Sendable, Equatable {
        /// Send it; the outcome is `answered` with the same name.
        case send(String, PushRequest)
        case settle(PushSettlement)
        /// Make or fetch a provider token.
        case renew
        /// At that time, instead of any time named before.
        case wake(at: Duration)
        case report(Report)
    }

    /// What the operator has to know.
    public enum Report: Sendable, Equatable {
        case stopped(reason: String, pause: Duration)
        case works
        /// Nothing is accepted with these credentials.
        case credentialRefused(reason: String)
        /// A device's token, or a job of ours, was refused for good.
        case refused(job: String, reason: String)
    }

    struct Entry: Sendable {
        var job: PushJob
        var claimedAt: Duration
        var isReduced = false
        var hasRenewed = false
    }

    struct Flight: Sendable {
        var entry: Entry
        /// Which connection it is on, as far as that is known.
        var connection: Int
        var generation: Int
    }
}
