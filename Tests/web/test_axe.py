"""axe-core finds nothing: in light and dark, from left and from right, on a phone, with dialogs open."""

from __future__ import annotations

from pathlib import Path

import axe_core_python
import pytest
from selenium.webdriver.common.keys import Keys
from test_safety import EVERYWHERE, SKELETON

AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()


def findings(browser):
    browser.driver.execute_script(AXE)
    found = browser.js("axe.run(document, { resultTypes: ['violations', 'incomplete'] })")
    return [(one["id"], [node["target"] for node in one["nodes"]][:5], one["nodes"][0]["failureSummary"]) for one in found["violations"]]


@pytest.fixture
def full(fixture):
    fixture.driver.execute_script(SKELETON + EVERYWHERE)
    return fixture


def draw(full):
    full.js("everywhere('Some words')")
    full.keys(Keys.ESCAPE)


@pytest.mark.parametrize("look", ["light", "dark", "right to left", "phone"])
def test_a_conversation_has_no_findings(full, look):
    if look == "dark":
        full.dark()
    if look == "phone":
        full.phone()
    if look == "right to left":
        full.js("(document.documentElement.dir = 'rtl', true)")
    draw(full)
    assert findings(full) == []


DIALOGS = {
    "details": "$('parley-thread', '.who').click()",
    "new conversation": "document.querySelector('parley-inbox').newConversation()",
    "settings": "$('parley-inbox', 'button[aria-label=Settings]').click()",
    "search": "$('parley-thread', 'button[aria-label=Search]').click()",
    "menu of a message": "$('parley-thread', '.row[data-key=x1]').dispatchEvent(new MouseEvent('contextmenu', { bubbles: true, cancelable: true }))",
    "menu of a conversation": "$('parley-thread', '.head button[aria-label=More]').click()",
    "emoji": "$('parley-thread', 'parley-composer', 'button[aria-label=Emoji]').click()",
}


@pytest.mark.parametrize("what", DIALOGS)
def test_what_opens_has_no_findings(full, what):
    draw(full)
    full.js(f"({DIALOGS[what]}, new Promise((done) => setTimeout(done, 300)))")
    assert findings(full) == []


def test_the_first_page_has_no_findings(browser, worker):
    browser.open(worker.url)
    browser.until("document.getElementById('sign-in') && !document.getElementById('sign-in').hidden")
    assert findings(browser) == []
