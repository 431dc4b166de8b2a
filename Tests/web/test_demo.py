"""`parley dev` shows two users side by side, who can be talked with."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
from browser import TEXTS
from parley import binary, free_port


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The address of a `parley dev` in a folder of its own."""
    tmp_path = tmp_path_factory.mktemp("demo")
    folder = tmp_path / "project"
    folder.mkdir()
    # The server's user passes through the folders above.
    for parent in (tmp_path, *list(tmp_path.parents)[:2]):
        parent.chmod(0o755)
    with open(tmp_path / "log", "w+") as log:
        process = subprocess.Popen([binary(), "dev", "--folder", str(folder), "--port", str(free_port())], stdout=log, stderr=log)
        try:
            details = folder / ".parley" / "dev.json"
            limit = time.monotonic() + 60
            while not details.exists():
                assert process.poll() is None and time.monotonic() < limit, (tmp_path / "log").read_text()
                time.sleep(0.1)
            yield json.loads(details.read_text())["url"]
        finally:
            process.terminate()
            process.wait(30)


def test_two_users_side_by_side_talk(browser, demo):
    browser.open(f"{demo}/demo")
    browser.until("document.querySelectorAll('iframe').length === 2")
    frames = browser.driver.find_elements("css selector", "iframe")
    assert [frame.get_attribute("title") for frame in frames] == ["Messages of Alice", "Messages of Bob"]

    def at(number: int) -> None:
        browser.driver.switch_to.default_content()
        browser.driver.switch_to.frame(frames[number])

    for number in (0, 1):
        at(number)
        browser.until(f"{TEXTS}.join() === 'Hello Bob, this is where we can talk.'", seconds=30)
    at(0)
    browser.say("Can you read this?")
    at(1)
    browser.until(f"{TEXTS}.at(-1) === 'Can you read this?'")
    browser.say("I can")
    at(0)
    browser.until(f"{TEXTS}.at(-1) === 'I can'")
    browser.until("$$('parley-thread', '.own .tick').at(-1)?.classList.contains('read')")
    browser.driver.switch_to.default_content()


def test_the_page_offers_the_users_of_the_demo(browser, demo):
    browser.open(demo)
    browser.until("document.querySelectorAll('#users button').length === 4")
    browser.js("[...document.querySelectorAll('#users button')].find((one) => one.textContent === 'Continue as Dave').click()")
    browser.until("window.parley?.connection.getSnapshot().status === 'online'")
    # Whom Dave may write to: the other three.
    browser.js("(document.querySelector('parley-inbox').newConversation(), true)")
    browser.until("$$('parley-inbox', 'dialog .pick').length === 3")
