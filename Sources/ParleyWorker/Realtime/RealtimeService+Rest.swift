internal import ParleyCore
internal import PostgresClient
public import WebServer

/// One message of a REST broadcast and what it means.
private struct RestStep: Sendable {
    var topic: Topic
    var broadcast: ClientBroadcast
    var intent: BroadcastIntent

    /// The statement of a command.
    var planned: PlannedCommand?

    /// A command is left to the function it runs.
    var needsPermission: Bool {
        if case .command = self.intent { return false }
        return true
    }
}

/// What all steps of one request share.
private struct RestPlan: Sendable {
    var token: SessionToken
    var isBatch: Bool
    var responder: HTTPResponder
    var access: AccessLog?
    var start: Int64
    /// When it is answered at the latest, however many steps there are.
    var deadline: ContinuousClock.Instant

    /// A statement's time limit of 0 would be none.
    var timeLeft: Duration { max(.milliseconds(1), self.deadline - .now) }

    func respond(_ response: HTTPResponse) {
        self.access?.note(
            .broadcast, nil, user: self.token.boundUser, status: response.status, since: self.start)
        self.responder.respond(response)
    }
}

/// `POST /realtime/v1/api/broadcast` and `.../api/broadcast/{topic}/events/{event}`.
extension RealtimeService {
    /// Answers a REST broadcast with 202 once it is out, and what it means has happened: a `message:send` is stored.
    ///
    /// Called on the loop. The service role may use any topic, others the conversations they take part in; in a batch,
    /// messages to other topics are left out without a word, as upstream does.
    /// - Returns: false when the path is none of this API.
    public nonisolated func handleBroadcast(_ request: HTTPRequest, _ responder: HTTPResponder) -> Bool {
        guard let route = BroadcastRequest.route(request) else { return false }
        if let preflight = CrossOrigin.preflight(request) {
            responder.respond(preflight)
            return true
        }
        self.assumeIsolated { service in
            let start = Clock.steadyNanoseconds()
            do throws(HTTPRefusal) {
                try service.broadcast(request, route, responder, since: start)
            } catch {
                service.access?.note(.broadcast, nil, user: nil, status: error.response.status, since: start)
                responder.respond(error.response)
            }
        }
        return true
    }

    private func broadcast(
        _ request: HTTPRequest, _ route: BroadcastRequest.Route, _ responder: HTTPResponder, since start: Int64
    ) throws(HTTPRefusal) {
        guard request.method == "POST" else { throw HTTPRefusal(405, "Method not allowed") }
        guard let text = BroadcastRequest.token(request),
            case .success(let token) = self.verify(text, self.clock() / 1000)
        else { throw .unauthorized }
        guard APIRoles.all.contains(token.role) else { throw .forbidden }
        if let refusal = self.limiter.refusal(.request, of: token.boundUser) { throw HTTPRefusal(refusal) }
        let isBatch = route == .batch
        var steps: [RestStep] = []
        for message in try BroadcastRequest.messages(request, route) {
            do throws(BroadcastRefusal) {
                let intent = try BroadcastIntent(
                    message.broadcast, topic: message.topic, token: token, reserved: self.schema.reserved,
                    limit: self.configuration.limits.maxBroadcastBytes)
                if case .focus = intent { throw BroadcastRefusal.needsSocket }
                steps.append(RestStep(topic: message.topic, broadcast: message.broadcast, intent: intent))
            } catch {
                if error == .notHere, isBatch { continue }
                throw error == .notHere ? .forbidden : HTTPRefusal(error)
            }
        }
        let plan = RestPlan(
            token: token, isBatch: isBatch, responder: responder, access: self.access, start: start,
            deadline: .now + self.configuration.commandTimeout)
        let make = Self.commands(of: steps, token)
        if let known = self.schema.plan(make) { return self.proceed(known, plan) }
        self.schema.planAfresh(make) { result in
            self.onLoop { $0.proceed(result, plan) }
        }
    }

    /// Plans the commands among the steps, before any step is carried out.
    private static func commands(of steps: [RestStep], _ token: SessionToken) -> SchemaCacheStore.Make<[RestStep]> {
        { cache throws(APIError) in
            var planned = steps
            for (place, step) in steps.enumerated() {
                guard case .command(let command) = step.intent else { continue }
                planned[place].planned = PlannedCommand(
                    request: SocketCommand(command: command, token: token, reply: nil),
                    plan: try CommandPlanner(cache: cache).plan(command, role: token.role))
            }
            return planned
        }
    }

    private func proceed(_ planned: Result<[RestStep], APIError>, _ plan: RestPlan) {
        let steps: [RestStep]
        do throws(APIError) {
            steps = try planned.get()
        } catch {
            var refusal = error
            if refusal.status != 503 { refusal.status = 422 }
            return plan.respond(HTTPRefusal(refusal).response)
        }
        var topics: [Topic] = []
        for step in steps where step.needsPermission && !topics.contains(step.topic) { topics.append(step.topic) }
        if plan.token.isService || topics.isEmpty {
            self.run(steps[...], plan)
        } else {
            self.authorize(steps, topics, plan)
        }
    }

    /// Leaves out the steps whose topics the access rule refuses, and runs the others.
    private func authorize(_ steps: [RestStep], _ topics: [Topic], _ plan: RestPlan) {
        let transaction = JoinQuery.permissions(topics, plan.token, timeout: plan.timeLeft)
        self.pool.submit(transaction) { result in
            self.onLoop { service in
                switch result {
                case .failure(let error): plan.respond(Self.response(error))
                case .success(let results):
                    let allowed = Set(zip(topics, results).filter { $1.rows.first?.bool(0) ?? false }.map(\.0))
                    let left = steps.filter { !$0.needsPermission || allowed.contains($0.topic) }
                    if left.isEmpty, !plan.isBatch {
                        plan.respond(HTTPRefusal.forbidden.response)
                    } else {
                        service.run(left[...], plan)
                    }
                }
            }
        }
    }

    /// Carries out one step after the other, in order.
    private func run(_ steps: ArraySlice<RestStep>, _ plan: RestPlan) {
        guard let step = steps.first else {
            plan.respond(HTTPResponse(status: 202, headers: CrossOrigin.headers))
            return
        }
        switch step.intent {
        case .nothing, .focus: break
        case .forward:
            let publication = Publication(
                sender: nil, user: plan.token.boundUser, topic: step.topic, broadcast: step.broadcast)
            guard self.publish(publication) else {
                return plan.respond(HTTPRefusal(.tooManyBytes).response)
            }
        case .typing(let user, let conversation, let isTyping):
            self.publish(Typing(channel: nil, sender: nil, conversation: conversation, user: user, isTyping: isTyping))
        case .command:
            guard let command = step.planned else { preconditionFailure("every command was planned") }
            self.pool.submit(self.transactions.alone(command, within: plan.timeLeft)) { result in
                self.onLoop { service in
                    switch result {
                    case .success: service.run(steps.dropFirst(), plan)
                    case .failure(let error): plan.respond(Self.response(error))
                    }
                }
            }
            return
        }
        self.run(steps.dropFirst(), plan)
    }

    private static func response(_ error: PostgresError) -> HTTPResponse {
        HTTPRefusal(APIError(error, authenticated: true)).response
    }
}
