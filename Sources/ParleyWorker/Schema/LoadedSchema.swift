internal import ParleyCore

/// What is read from the catalog at once.
struct LoadedSchema: Sendable {
    var cache: SchemaCache
    /// The names of `parley.event_kind`.
    let reserved: ReservedEvents
}
