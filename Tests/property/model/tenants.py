"""Tenants: membership decides, whoever writes the row. docs/reach.md on tenants."""

from __future__ import annotations

from .things import Conversation, Event, refuse

MANAGERS = ("owner", "administrator", "manager")


class Tenants:
    def manages(self, user: str, tenant: str | None) -> bool:
        return tenant is not None and self.tenants[tenant].get(user) in MANAGERS

    def split(self, users) -> bool:
        """They share none, and one of them is in one."""
        users = set(users)
        return any(users & set(members) for members in self.tenants.values()) and not any(
            users <= set(members) for members in self.tenants.values())

    def shared_tenant(self, user: str, users) -> str | None:
        """Of several that all share, one that the user manages, else the first."""
        shared = [tenant for tenant in sorted(self.tenants) if set(users) <= set(self.tenants[tenant])]
        return min(shared, key=lambda tenant: (not self.manages(user, tenant), tenant), default=None)

    def settle_boundary(self, c: Conversation) -> None:
        """A conversation of no tenant can only be read while a boundary runs through it."""
        if c.tenant is None and c.severed != self.split(c.present):
            c.severed = not c.severed
            self.tell(c, Event("conversation:updated", data={"changed": ["read_only"]}))

    def settle_boundaries(self, user: str) -> None:
        for c in self.conversations.values():
            if user in c.present:
                self.settle_boundary(c)

    def writable(self, c: Conversation) -> None:
        refuse(c.status != "active" or c.severed, "PT403")

    def host_join_tenant(self, user, tenant, user_id, role):
        """A row of tenant_member, or another role in it."""
        if self.tenants[tenant].get(user_id) != role:
            before = self.tier[user_id], self.plan(user_id)
            if role == "member":
                self.end_moderation(tenant, user_id)
            self.tenants[tenant][user_id] = role
            self.settle_boundaries(user_id)
            self.changed_plan(user_id, before, role=role)

    def host_leave_tenant(self, user, tenant, user_id):
        if user_id in self.tenants[tenant]:
            before = self.tier[user_id], self.plan(user_id)
            self.end_moderation(tenant, user_id)
            del self.tenants[tenant][user_id]
            for c in self.conversations.values():
                if c.tenant == tenant and user_id in c.present:
                    self.depart(c, None, user_id)
            self.settle_boundaries(user_id)
            self.changed_plan(user_id, before, role=None)

    def host_move_tenant(self, user, tenant, to, user_id):
        """The same as leaving one and coming to the other, in the same role."""
        role = self.tenants[tenant].get(user_id)
        refuse(role is None or user_id in self.tenants[to], "PT404")
        before = self.tier[user_id], self.plan(user_id)
        self.end_moderation(tenant, user_id)
        del self.tenants[tenant][user_id]
        self.tenants[to][user_id] = role
        for c in self.conversations.values():
            if c.tenant == tenant and user_id in c.present:
                self.depart(c, None, user_id)
        self.settle_boundaries(user_id)
        self.changed_plan(user_id, before, role=None)
        self.changed_plan(user_id, (self.tier[user_id], self.plan(user_id)), role=role)

    def end_moderation(self, tenant: str, user: str) -> None:
        if self.tenants[tenant].get(user, "member") != "member":
            self.tell_own(user, None, "moderation:revoked")
