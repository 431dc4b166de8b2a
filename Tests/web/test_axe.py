"""axe-core finds nothing: in light and dark, from left and from right, on a phone, with dialogs open."""

from __future__ import annotations

from pathlib import Path

import axe_core_python
import pytest
from selenium.webdriver.common.keys import Keys
from test_safety import EVERYWHERE, SKELETON

# The contrast of each text with what lies behind it (WCAG 1.4.3). axe-core does not know colours as these components name
# them, so it looks at none.
CONTRAST = """
(() => {
    const context = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    const rgba = (color) => { context.clearRect(0, 0, 1, 1); context.fillStyle = color; context.fillRect(0, 0, 1, 1); const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255]; };
    const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
    const light = ([r, g, b]) => [r, g, b].map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4)).reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
    const up = (element) => element.assignedSlot ?? element.parentElement ?? element.getRootNode().host;
    const behind = (element) => {
        const layers = [];
        for (let one = element; one; one = up(one)) { const color = rgba(getComputedStyle(one).backgroundColor); layers.push(color); if (color[3] === 1) break; }
        return layers.reverse().reduce((below, color) => over(color, below), [255, 255, 255, 1]);
    };
    const found = [];
    let looked = 0;
    const walk = (root) => {
        for (const element of root.querySelectorAll("*")) {
            if (element.shadowRoot) walk(element.shadowRoot);
            const text = [...element.childNodes].filter((one) => one.nodeType === 3).map((one) => one.textContent).join("").trim() || element.placeholder;
            if (!text || !element.offsetHeight || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || element.closest(":disabled, [aria-hidden=true], .hidden-text") || /^[\\p{Extended_Pictographic}\\ufe0f\\s]+$/u.test(text)) continue;
            const style = getComputedStyle(element, element.placeholder ? "::placeholder" : undefined);
            const back = behind(element);
            const [a, b] = [light(over(rgba(style.color), back)), light(back)].sort((one, two) => two - one);
            const ratio = (a + 0.05) / (b + 0.05);
            const size = parseFloat(style.fontSize);
            looked += 1;
            if (ratio < (size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5)) found.push(`${element.localName}.${element.className} "${text.slice(0, 20)}" ${ratio.toFixed(2)} ${style.color}`);
        }
    };
    walk(document);
    return { found: [...new Set(found)], looked };
})()
"""
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


@pytest.mark.parametrize("look", ["light", "dark"])
def test_every_text_stands_out(full, worker, look):
    if look == "dark":
        full.dark()
    draw(full)
    seen = [full.js(CONTRAST)]
    full.js("(fake.connection.change({ status: 'offline', retryAt: null }), fake.calls.change({ incoming: [{ id: 'k', conversation_id: 'c1' }] }), true)")
    for script in DIALOGS.values():
        full.js(f"({script}, new Promise((done) => setTimeout(done, 150)))")
        seen.append(full.js(CONTRAST))
        full.js("(['parley-inbox', 'parley-thread'].forEach((name) => $(name, 'dialog')?.close()), true)")
        full.keys(Keys.ESCAPE)
    full.open(worker.url)
    full.until("document.getElementById('sign-in') && !document.getElementById('sign-in').hidden")
    seen.append(full.js(CONTRAST))
    assert min(one["looked"] for one in seen[:-1]) > 30 and seen[-1]["looked"] >= 3
    assert sorted({line for one in seen for line in one["found"]}) == []
