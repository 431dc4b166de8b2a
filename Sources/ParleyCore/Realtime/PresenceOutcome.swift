/// What became of a `PresenceTrack`.
public enum PresenceOutcome: Sendable, Equatable { case done, tooLarge, refused }
