internal import ParleyCore
internal import Support

extension PushLane {
    /// What operators have to know of a route, in the metrics and in the log.
    func tell(_ report: Machine.Report, of name: String) {
        let place = [("provider", self.routes.provider.rawValue), ("route", name)]
        switch report {
        case .stopped(let reason, let pause):
            self.metrics.route(name, of: self.routes.provider, isStopped: true)
            self.log.warning("push has stopped for a while", place + [("reason", reason), ("pause", "\(pause)")])
        case .works:
            self.metrics.route(name, of: self.routes.provider, isStopped: false)
            self.log.info("push works again", place)
        case .credentialRefused(let reason):
            self.metrics.route(name, of: self.routes.provider, isStopped: true)
            self.log.error("push credentials are refused", place + [("reason", reason)])
        case .refused(let job, let reason):
            self.log.warning("a push was refused for good", place + [("job", job), ("reason", reason)])
        }
    }
}
