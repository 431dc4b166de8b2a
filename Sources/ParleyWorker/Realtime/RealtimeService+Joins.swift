internal import FoundationEssentials
internal import ParleyCore
internal import PostgresClient
internal import Support
internal import WebServer

/// What a channel that was allowed sees before it is live.
struct LivePlan {
    var grant: JoinGrant
    var replay: [LogEvent]
    var missed: ArraySlice<LogEvent>
}

extension RealtimeService {
    /// Asks the access rule. The ticket is opened first, so that nothing can fall between the answer and the log.
    func authorize(_ question: Authorization, for connection: SocketConnection) {
        let ticket = question.isRefresh ? nil : self.gate.openTicket()
        let asked = question.token.boundUser.flatMap { self.limiter.question(of: $0) }
        let transaction = JoinQuery.transaction(
            question, withLimits: asked != nil, maxReplayRows: self.configuration.maxReplayRows,
            timeout: self.configuration.joinTimeout)
        self.pool.submit(transaction, cancellation: connection.joins) { result in
            self.onLoop { $0.authorized(question, ticket, result, asked) }
        }
    }

    private func authorized(
        _ question: Authorization, _ ticket: JoinGate.Ticket?, _ result: Result<[ResultSet], PostgresError>,
        _ asked: UInt64?
    ) {
        let missed = ticket.map { self.gate.close($0) } ?? .events([])
        // The serial is never used twice: a socket that took the place of a closed one has no such channel.
        guard let connection = self.connections[question.channel.slot] else { return }
        var plan: LivePlan?
        let answer: AuthorizationAnswer
        do {
            let found = try JoinQuery.answer(result.get(), to: question, withLimits: asked != nil)
            if let asked, found.grant != nil, let user = question.token.boundUser {
                self.limiter.learn(found.limits, of: user, asked: asked)
            }
            let isFull =
                !question.isRefresh
                && question.token.boundUser.map { self.index.count(of: $0) >= self.configuration.maxChannelsPerUser }
                    ?? false
            switch (found.grant, missed) {
            case (nil, _): answer = .denied
            case _ where isFull: answer = .failed(.tooManyChannels)
            case (_, .overflowed): answer = .failed(.overtaken)
            case (let grant?, .events(let events)):
                plan = LivePlan(grant: grant, replay: found.replay, missed: events)
                answer = .allowed
            }
        } catch let refusal as JoinRefusal {
            answer = .failed(refusal)
            self.log.error("the access rule answered out of contract")
        } catch let error as PostgresError {
            answer = .failed(JoinRefusal(error))
            self.log.warning(
                "a join could not be decided", [("code", "\(error.code)"), ("sqlstate", error.sqlState ?? "")])
        } catch {
            preconditionFailure("the answer of a join throws nothing else")
        }
        let context = self.context()
        let actions = connection.session.authorized(question, answer, context: context, verify: self.check(context))
        self.perform(actions, for: connection, live: plan)
        if question.isRefresh, let channel = connection.session.channel(question.channel) {
            // The wheel looks at a channel when its old token would have expired; an earlier end needs its own entry.
            self.expiry.insert(channel.id, at: channel.expiresAt)
        }
    }

    /// Presence state, replay, what was missed, then live: in this order on the wire.
    func goLive(_ id: ChannelID, _ plan: LivePlan, _ connection: SocketConnection) {
        guard let channel = connection.session.channel(id), self.attribute(connection, to: channel.token) else {
            return
        }
        connection.socket.establish()
        self.learn(from: plan, of: channel)
        if channel.presenceEnabled { self.sendPresenceState(channel, connection) }
        self.replay(plan.replay, to: channel, connection)
        let effects = self.index.subscribe(
            id, topic: channel.topic, version: connection.session.version, user: channel.token.boundUser,
            grant: plan.grant, missed: plan.missed, isCanonical: channel.isCanonical
        ) { event, delivery in
            if self.isBeyondWindow(delivery.channel, self.daysOld(event)) { return }
            var frames = TopicFrames(event)
            if self.deliver(delivery, &frames) { self.metrics.deliveries += 1 }
        }
        self.expiry.insert(id, at: channel.expiresAt)
        for closed in effects.closed { self.revoke(closed) }
    }

    /// Tells the server whose socket it is; closes the one that a user has too many.
    private func attribute(_ connection: SocketConnection, to token: SessionToken) -> Bool {
        // Each socket of the application's own servers is a user of its own.
        let key = token.isService ? "service \(connection.socket.id)" : token.subject?.lowercaseText
        guard let key else { return true }
        guard connection.socket.attribute(to: key) else {
            Self.closeSurplus(connection)
            return false
        }
        guard let user = token.boundUser else { return true }
        self.belong(connection, to: user)
        // All limits changed while this was decided: who had no socket then was not asked about.
        if self.limiter.isToAsk(user) { self.askAgain([user]) }
        return !self.closeSurplus(of: user).contains(connection.slot)
    }

    private func replay(_ events: [LogEvent], to channel: Channel, _ connection: SocketConnection) {
        var bytes = 0
        var isCut = false
        var cut: [LogEvent] = []
        let limit = min(
            self.configuration.maxReplayBytes,
            max(0, self.configuration.maxReplayQueue - connection.socket.queuedBytes))
        for event in events {
            // What the database says of the replay itself has no id, and is always sent.
            if event.id != 0 {
                bytes += event.payload.count
                isCut = isCut || bytes > limit
            }
            if event.id != 0, isCut {
                cut.append(event)
            } else if event.kind == "replay:end", let first = cut.first {
                self.sendGaps(of: cut, to: channel, connection)
                self.sendEnd(before: first, of: event.conversationID, to: channel, connection)
            } else {
                self.send(TopicFrames.template(event, replayed: true), to: channel, connection)
            }
        }
    }

    /// A replay that was cut settles the numbers up to the first event it leaves out; those of an inbox have none.
    private func sendEnd(
        before event: LogEvent, of conversation: UUID?, to channel: Channel, _ connection: SocketConnection
    ) {
        var payload = #"{"conversation_id":null,"to":null}"#
        if let conversation, let seq = event.eventSeq {
            payload = #"{"conversation_id":"\#(conversation.lowercaseText)","to":\#(seq - 1)}"#
        }
        self.send(BroadcastTemplate(event: "replay:end", body: .json([UInt8](payload.utf8))), to: channel, connection)
    }

    private func send(_ template: BroadcastTemplate, to channel: Channel, _ connection: SocketConnection) {
        if let payload = template.encode(connection.session.version, topic: channel.name) { connection.send(payload) }
    }

    /// Says what a replay leaves out, per conversation, so that the client pages it with `get_events`; what is the
    /// user's own comes with `sync`.
    private func sendGaps(of events: [LogEvent], to channel: Channel, _ connection: SocketConnection) {
        var ranges: [UUID: (from: Int64, to: Int64)] = [:]
        var hasOwn = false
        for event in events {
            guard let conversation = event.conversationID, let seq = event.eventSeq else {
                hasOwn = true
                continue
            }
            let known = ranges[conversation] ?? (seq, seq)
            ranges[conversation] = (min(known.from, seq), max(known.to, seq))
        }
        var payloads = ranges.sorted(by: { $0.value.from < $1.value.from }).map { conversation, range in
            #"{"conversation_id":"\#(conversation.lowercaseText)","from":\#(range.from),"to":\#(range.to),"#
                + #""reason":"size","readable":true}"#
        }
        if hasOwn {
            payloads.append(#"{"conversation_id":null,"from":null,"to":null,"reason":"size","readable":true}"#)
        }
        for payload in payloads {
            self.send(
                BroadcastTemplate(event: "replay:gap", body: .json([UInt8](payload.utf8))), to: channel, connection)
        }
    }
}
