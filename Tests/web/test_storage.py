"""A browser's own storage fails in the field: the page goes on without it, and says so."""

from __future__ import annotations

import pytest
from test_talk import enter, stored

FAULTS = {
    "that is forbidden": ("IDBFactory.prototype.open = () => { throw new DOMException('not in private windows', 'SecurityError'); }", False),
    "that is full": ("IDBObjectStore.prototype.put = function () { this.transaction.abort(); }", False),
    "that was cleared meanwhile": (
        "const begin = IDBDatabase.prototype.transaction; let lost = 3;"
        " IDBDatabase.prototype.transaction = function (...all) { if (lost-- === 0) throw new DOMException('The connection is closed.', 'InvalidStateError'); return begin.apply(this, all); }", True),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_storage(browser, worker, people, talk, name):
    script, persistent = FAULTS[name]
    alice, bob = people
    browser.preload(script)
    enter(browser, worker, alice, talk)
    browser.say("Said all the same")
    browser.until("$('parley-thread', '.own .tick') && !$('parley-thread', '.own .tick.sending')")
    browser.until("parley.connection.getSnapshot().persistent === args[0]", persistent)
    assert stored(bob, talk) == ["Hello Alice", "Said all the same"]
