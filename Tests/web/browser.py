"""Chromium by Selenium, with what pages of web components need: expressions that wait, and roots of shadows."""

from __future__ import annotations

import json
import time

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

# Finds an element through shadow roots: one selector for each root. For expressions in the page.
DEEP = """
window.$ = (...path) => path.reduce((root, selector) => (root?.shadowRoot ?? root)?.querySelector(selector), document);
window.$$ = (...path) => { const last = path.pop(); const root = path.length ? $(...path) : document; return [...((root?.shadowRoot ?? root)?.querySelectorAll(last) ?? [])]; };
window.complaints ??= [];
addEventListener("securitypolicyviolation", (event) => complaints.push(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
addEventListener("error", (event) => complaints.push(`error: ${event.message}`));
addEventListener("unhandledrejection", (event) => complaints.push(`rejection: ${event.reason?.stack ?? event.reason}`));
"""
THREAD, INBOX = "'parley-thread'", "'parley-inbox'"
INPUT = "$('parley-thread', 'parley-composer', 'textarea')"
TEXTS = "$$('parley-thread', '.row .text').map((one) => one.textContent)"


class Browser:
    def __enter__(self) -> Browser:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        # As root there is no sandbox, and in containers little shared memory. Tabs behind others are not slowed down:
        # the test of a hidden tab says by itself what is hidden.
        for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
                     "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding", "--lang=en-US",
                     # Calls have a made-up microphone, and reach one another on this machine.
                     "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--mute-audio",
                     "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns"):
            options.add_argument(flag)
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
        self.driver.set_script_timeout(30)
        # For each tab the scripts that run before those of its pages.
        self.preloaded: dict[str, list[str]] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.quit()

    def reset(self) -> None:
        first, *rest = self.driver.window_handles
        for handle in rest:
            self.driver.switch_to.window(handle)
            self.driver.close()
        self.switch(first)
        for script in self.preloaded.pop(first, []):
            self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})
        self.preloaded.clear()
        if self.driver.current_url.startswith("http"):
            self.js("(sessionStorage.clear(), true)")
        for command in ("Emulation.clearDeviceMetricsOverride", "Storage.clearCookies"):
            self.driver.execute_cdp_cmd(command, {})
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        self.offline(False)
        self.driver.get("about:blank")
        self.driver.set_window_size(1200, 860)
        self.prepare()

    def prepare(self) -> None:
        """What every page of this tab has from its start."""
        self.preload(DEEP)

    def preload(self, source: str) -> None:
        """Runs in every page of this tab before the page's own scripts, until the reset."""
        added = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
        self.preloaded.setdefault(self.handle, []).append(added["identifier"])

    def open(self, url: str) -> None:
        self.driver.get(url)

    def tab(self, url: str) -> str:
        """A new tab, with a session of its own. - Returns: its handle."""
        self.driver.switch_to.new_window("tab")
        self.prepare()
        self.open(url)
        return self.driver.current_window_handle

    def switch(self, handle: str) -> None:
        """Brings a tab to the front: the others are hidden."""
        self.driver.switch_to.window(handle)
        self.driver.execute_cdp_cmd("Page.bringToFront", {})

    @property
    def handle(self) -> str:
        return self.driver.current_window_handle

    def js(self, expression: str, *arguments: object):
        """The value of an expression, of a promise its outcome. `args` are the arguments."""
        script = f"""
            const done = arguments[arguments.length - 1], args = [...arguments].slice(0, -1);
            (async () => ({expression}))().then((value) => done([value ?? null]), (error) => done(['threw', String(error?.stack ?? error)]));
        """
        answer = self.driver.execute_async_script(script, *arguments)
        assert len(answer) == 1, answer
        return answer[0]

    def until(self, expression: str, *arguments: object, seconds: float = 15):
        """Waits until an expression is true in the page. - Returns: its value."""
        limit = time.monotonic() + seconds
        while True:
            value = self.js(expression, *arguments)
            if value:
                return value
            if time.monotonic() > limit:
                raise AssertionError(f"still not: {expression}\nthe page shows: {self.js('document.body.innerText')[:500]}\nthread: {self.js(TEXTS)}\n{self.complaints()}")
            time.sleep(0.05)

    def keys(self, *keys: str) -> None:
        """Presses keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def chord(self, modifier: str, key: str) -> None:
        ActionChains(self.driver).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def say(self, text: str) -> None:
        """Writes into the composer and sends."""
        self.until(f"{INPUT} && !{INPUT}.closest('.box').hidden")
        self.js(f"{INPUT}.focus()")
        self.keys(text, Keys.ENTER)

    def offline(self, is_off: bool) -> None:
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": is_off, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})

    def phone(self, dark: bool = False) -> None:
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 390, "height": 780, "deviceScaleFactor": 2, "mobile": True})
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
        if dark:
            self.dark()

    def dark(self) -> None:
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})

    def hide(self, is_hidden: bool) -> None:
        """Tells the page that it is hidden, or seen again, as a browser does."""
        state = json.dumps("hidden" if is_hidden else "visible")
        self.js(f"(Object.defineProperty(document, 'visibilityState', {{ value: {state}, configurable: true }}),"
                f" Object.defineProperty(document, 'hidden', {{ value: {json.dumps(is_hidden)}, configurable: true }}),"
                " document.dispatchEvent(new Event('visibilitychange')), true)")

    def complaints(self) -> list[str]:
        return self.js("window.complaints ?? []")

    def picture(self, path: str) -> None:
        self.driver.save_screenshot(path)
