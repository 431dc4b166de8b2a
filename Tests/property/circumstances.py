"""Random operations on what is around the conversations: people, tenants, plans, and time."""

from __future__ import annotations

from model import DAY


THEMES = {
    "people": ("privacy", "follow", "block", "restrict", "answer", "start"),
    "tenants": ("tenant", "plan", "start", "add"),
    "time": ("wait", "work", "plan", "hold", "add"),
}


class Circumstances:
    """Of `Draw`; each answers the user, the function and the arguments."""

    def first(self) -> list[tuple[str, dict]]:
        """Where a run begins, and what happens often in it: nobody in a tenant, everybody in one, or in two that overlap;
        strangers ask, or do not."""
        users = ["ann", "bob", "cid", "dan", "eve", "fay"]
        self.theme = self.random.choice(["", "people", "tenants", "time"])
        north, south = self.random.choice({
            "": [([], []), (users, []), (users[:4], users[2:])], "people": [([], []), (users, [])],
            "tenants": [([], []), (users, []), (users[:4], users[2:]), (users, users[3:])], "time": [([], []), (users, [])],
        }[self.theme])
        self.tenanted = bool(north) or self.theme == "tenants"
        return [
            ("host_setting", {"value": self.random.choice(["requests", "requests" if self.theme == "people" else "inbox"])}),
            *(
                ("host_join_tenant", {"tenant": tenant, "user_id": user, "role": self.rank()})
                for tenant, members in (("north", north), ("south", south)) for user in members
            ),
            # Who sees less far back has messages purged sooner.
            *(("host_tier", {"user_id": user, "tier": "privileged"}) for user in users[:2] if self.theme == "time"),
        ]

    def often(self, name: str) -> float:
        """How many times more often than in a run without a theme."""
        return 5 if name in THEMES.get(self.theme, ()) else 1

    def rank(self) -> str:
        return self.random.choice(["member", "member", "member", "moderator", "manager", "owner", "administrator"])

    def two(self) -> tuple[str, str]:
        """Mostly two who are in a conversation, seldom one and the same."""
        c = self.conversation()
        user = self.member(c)
        others = [other for other in c.members if other != user]
        return user, self.random.choice(others) if others and self.chance(0.9) else self.user()

    # People.

    def privacy(self):
        name, values = self.random.choice([
            ("message_privacy", ["everyone", "everyone", "everyone", "friends", "following", "no_one"]),
            ("read_receipts", [True, True, False]),
        ])
        return self.make(self.user(), "set_privacy", {name: self.random.choice(values)})

    def follow(self):
        user, other = self.two()
        return self.make(user, self.random.choice(["follow_user", "unfollow_user"]), {"user_id": other})

    def block(self):
        # Seldom blocked for long.
        if self.world.blocks and self.chance(0.5):
            user, other = self.random.choice(sorted(self.world.blocks))
            return self.make(user, "unblock_user", {"user_id": other})
        user, other = self.two()
        return self.make(user, self.random.choice(["block_user", "block_user", "unblock_user"]), {"user_id": other})

    def restrict(self):
        user, other = self.two()
        if self.world.restrictions and self.chance(0.4):
            user, other = self.random.choice(sorted(self.world.restrictions))
        return self.make(user, self.random.choice(["restrict_user", "restrict_user", "unrestrict_user"]), {"user_id": other})

    def answer(self):
        """To a request, mostly."""
        found = [
            (user, c.name) for c in self.world.conversations.values() for user, member in c.present.items()
            if member.folder == "requests" and (not self.focus or c is self.focus)
        ]
        user, name = self.random.choice(found) if found and self.chance(0.9) else (self.user(), self.conversation().name)
        if self.chance(0.5):
            return self.make(user, "accept_request", {"conversation_id": name})
        return self.make(user, "decline_request", {"conversation_id": name} | ({"block": True} if self.chance(0.2) else {}))

    # The host.

    def setting(self):
        return self.make(None, "host_setting", {"value": self.random.choice(["requests", "inbox"])})

    def tenant(self):
        tenant, user = self.random.choice(["north", "south"]), self.user()
        if not self.tenanted and self.chance(0.6) and any(self.world.tenants.values()):
            # Back to a world without tenants.
            tenant = self.random.choice([name for name, members in self.world.tenants.items() if members])
            user = self.random.choice(sorted(self.world.tenants[tenant]))
            return self.make(None, "host_leave_tenant", {"tenant": tenant, "user_id": user})
        [kind] = self.random.choices(["join", "leave", "move"], [2, 2, 1])
        function = f"host_{kind}_tenant"
        arguments = {"tenant": tenant, "user_id": user}
        if function == "host_join_tenant":
            arguments["role"] = self.rank()
        if function == "host_move_tenant":
            arguments["to"] = "south" if tenant == "north" else "north"
        return self.make(None, function, arguments)

    def plan(self):
        tiers, user = ["free", "privileged", "privileged_plus"], self.user()
        kind = self.random.choice(["tier", "subscribe", "subscribe", "unsubscribe"])
        if kind == "tier":
            return self.make(None, "host_tier", {"user_id": user, "tier": self.random.choice(tiers)})
        if kind == "unsubscribe":
            return self.make(None, "host_unsubscribe", {"user_id": user})
        return self.make(None, "host_subscribe", {
            "user_id": user, "tier": self.random.choice(tiers), "tenant": self.random.choice([None, None, "north", "south"]),
            "begins": self.random.choice([0, 0, 10 * DAY]), "minutes": self.random.choice([64, 20 * DAY, 300 * DAY]),
        })

    def hold(self):
        if self.world.holds and self.chance(0.6):
            kind, name = self.random.choice(sorted(self.world.holds))
            return self.make(None, "host_release", {"kind": kind, "name": name})
        kind = self.random.choice(["user", "conversation", "tenant"])
        name = {"user": self.user(), "conversation": self.conversation().name, "tenant": "north"}[kind]
        return self.make(None, "host_hold", {"kind": kind, "name": name})

    def wait(self):
        if self.chance(0.5):
            self.opening.append(self.make(None, "host_retain", {}))
        # In steps of 16 minutes, so that the time a run itself takes decides nothing.
        return self.make(None, "host_wait", {"minutes": self.random.choice(
            [16, 16, 16, 64, 64, DAY, 8 * DAY, 31 * DAY, 31 * DAY, 40 * DAY, 100 * DAY, 200 * DAY]
        )})

    def work(self):
        jobs = ["host_expire_messages", "host_expire_requests", "host_retain", "host_retain", "host_index", "host_index"]
        return self.make(None, self.random.choice(jobs), {})
