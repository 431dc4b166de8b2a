/// How much a lane of the push sender takes on.
struct PushBounds: Sendable {
    /// Jobs of one provider in the worker's hands.
    var mostHeld = 1000
    /// More of them, for calls alone.
    var callRoom = 100
    /// Jobs of one claim, and of one settlement: a message for one that is being claimed waits until that is done.
    var mostClaimed = 100
    /// Routes remembered, as of Web Push services.
    var mostRoutes = 1000
    /// Between looks at a queue that is empty: the first, and the longest.
    var claimPause = Duration.milliseconds(50)...(.milliseconds(500))
    /// After a look that failed.
    var failurePause = Duration.seconds(2)
    /// Between settlements that are not full: each costs much the same, and nobody waits for one.
    var settlePause = Duration.milliseconds(50)
    /// How long to go on telling the queue how jobs ended.
    var settleTime = Duration.seconds(40)
}
