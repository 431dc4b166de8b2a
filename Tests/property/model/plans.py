"""Plans, the windows they give, and what time does: docs/reach.md on plans, docs/operations.md on retention."""

from __future__ import annotations

from dataclasses import dataclass

from .things import DAY, Conversation, Event, Message

RANKS = ("free", "privileged", "privileged_plus")
WINDOWS = {"free": 30 * DAY, "privileged": 180 * DAY, "privileged_plus": 365 * DAY}
GRACE, KEYS_KEPT = 30 * DAY, 90 * DAY


@dataclass(frozen=True)
class Subscription:
    tier: str
    tenant: str | None
    starts: int
    ends: int


class Plans:
    # Who has which plan.

    def best(self, user: str, counts) -> str:
        """The highest of the own tier and of the subscriptions that are active and count."""
        active = [
            s.tier for s in self.subscriptions[user]
            if s.starts <= self.now < s.ends and (s.tenant is None or user in self.tenants[s.tenant] and counts(s.tenant))
        ]
        return max(self.tier[user], *active, key=RANKS.index) if active else self.tier[user]

    def plan(self, user: str) -> str:
        """Of the person: by it go limits and the window."""
        return self.best(user, lambda tenant: True)

    def may_initiate(self, user: str, tenant: str | None) -> bool:
        """In the tenant, or outside of all: start, or bring in somebody new."""
        return self.manages(user, tenant) or self.best(user, lambda other: other == tenant) != "free"

    def changed_plan(self, user: str, before: tuple, **data: object) -> None:
        """The user is told; and what was retired and a window reaches again is there."""
        self.tell_own(user, None, "entitlements:changed", data=data)
        if (self.tier[user], self.plan(user)) != before:
            for c in self.conversations.values():
                if user in c.present:
                    self.bring_back(c)

    def host_tier(self, user, user_id, tier):
        if self.tier[user_id] != tier:
            before = self.tier[user_id], self.plan(user_id)
            self.tier[user_id] = tier
            self.changed_plan(user_id, before)

    def host_subscribe(self, user, user_id, tier, tenant, begins, minutes):
        before = self.tier[user_id], self.plan(user_id)
        self.subscriptions[user_id].append(Subscription(tier, tenant, self.now + begins, self.now + begins + minutes))
        self.changed_plan(user_id, before)

    def host_unsubscribe(self, user, user_id):
        while self.subscriptions[user_id]:
            before = self.tier[user_id], self.plan(user_id)
            self.subscriptions[user_id].pop(0)
            self.changed_plan(user_id, before)

    # How far back anybody sees.

    def in_window(self, user: str, at: int) -> bool:
        return self.now - at < WINDOWS[self.plan(user)]

    def alive(self, m: Message) -> bool:
        return not m.purged and m.retired_at is None and not self.expired(m)

    def expired(self, m: Message) -> bool:
        return m.expires_at is not None and m.expires_at <= self.now

    def window(self, c: Conversation) -> int:
        """The longest of those who are there; with nobody left, of whoever left last."""
        if c.present:
            return max(WINDOWS[self.plan(user)] for user in c.present)
        if c.left_window is not None:
            return c.left_window
        last = max(member.left_at for member in c.members.values())
        return max(WINDOWS[self.plan(user)] for user, member in c.members.items() if member.left_at == last)

    def bring_back(self, c: Conversation) -> None:
        for m in c.messages:
            if m.retired_at is not None and self.now - m.at < self.window(c):
                m.retired_at = None

    # What time does.

    def host_wait(self, user, minutes):
        """The clock moves, and whose subscription begins or ends is told."""
        before = self.now
        plans = {name: (self.tier[name], self.plan(name)) for name in self.tier}
        self.now += minutes
        for name, subscriptions in self.subscriptions.items():
            if any(before < moment <= self.now for s in subscriptions for moment in (s.starts, s.ends)):
                self.changed_plan(name, plans[name])

    def host_expire_messages(self, user):
        """What has expired is removed; what is held is not."""
        for c in self.conversations.values():
            for m in c.messages:
                if self.expired(m) and not m.deleted and not m.purged and not self.held(c):
                    self.clear(m)
                    self.tell_about(c, m, Event("message:deleted", None, seq=m.seq, data={"for_everyone": True}))

    def host_index(self, user):
        """A search finds the same, whether or not the index has seen it."""

    def host_expire_requests(self, user):
        due = [
            (request.order, c, name) for c in self.conversations.values() for name, request in c.requests.items()
            if request.status == "pending" and self.now - request.created >= 30 * DAY
        ]
        for _, c, name in sorted(due, key=lambda each: each[0]):
            if not self.put_away(c, name, "expired"):
                c.requests[name].status, c.requests[name].answered = "expired", self.now

    def host_retain(self, user):
        """A pass over all conversations: retire, bring back, purge."""
        self.drop_keys()
        for c in self.conversations.values():
            window = self.window(c)
            c.left_window = None if c.present else window
            for m in c.messages:
                if m.retired_at is None and self.now - m.at >= window:
                    m.retired_at = self.now
            self.bring_back(c)
            if self.held(c):
                continue
            for m in c.messages:
                if m.retired_at is not None and not m.purged and m.retired_at + GRACE <= self.now:
                    m.purged, m.pinned = True, None
            purged = max((m.seq for m in c.messages if m.purged), default=0)
            if purged > c.swept:
                self.sweep(c, purged, window)
        self.drop_keys()

    def drop_keys(self) -> None:
        """The keys of what was purged are kept for 90 days after sending."""
        for c in self.conversations.values():
            c.sent = {
                key: (request, seq) for key, (request, seq) in c.sent.items()
                if not c.messages[seq - 1].purged or self.now - c.messages[seq - 1].at < KEYS_KEPT
            }

    def sweep(self, c: Conversation, purged: int, window: int) -> None:
        """With messages go their receipts, and the events from before the first that is left, or that a window reaches."""
        c.swept = purged
        for member in c.members.values():
            member.markers = [(after, to) for after, to in member.markers if to > purged]
        first = min((m.order for m in c.messages if not m.purged), default=None)
        latest = max(event.order for events in self.logs() for event in events)
        c.kept_from = max(c.kept_from, next(
            (
                number for number, event in enumerate(c.events, 1)
                # The last event of the log stays.
                if self.now - event.at < window or (first is not None and event.order >= first) or event.order == latest
            ),
            len(c.events) + 1,
        ))

    # Holds.

    def held(self, c: Conversation) -> bool:
        return bool(self.holds & {("conversation", c.name), ("tenant", c.tenant), *(("user", user) for user in c.members)})

    def host_hold(self, user, kind, name):
        self.holds.add((kind, name))

    def host_release(self, user, kind, name):
        self.holds.discard((kind, name))
