"""Notifications: Web Push with the browser's own service worker, and what the settings show of it."""

from __future__ import annotations

import json
import time
import urllib.request

import pytest
import websocket
from test_talk import enter
from waiting import until

# A subscription as a push service makes it, which is not to be reached from here.
SUBSCRIBE = """
window.subscribed = null; window.endpoint = "https://push.example/one";
const bytes = (key) => Uint8Array.from(atob(key), (one) => one.charCodeAt(0)).buffer;
const subscription = (key) => ({ options: { applicationServerKey: bytes(key) }, toJSON: () => ({ endpoint, keys: { p256dh: "key", auth: "secret" }, expirationTime: null }), unsubscribe: async () => { subscribed = null; return true; } });
PushManager.prototype.subscribe = async (options) => (window.asked = options, subscribed = subscription(options.applicationServerKey));
PushManager.prototype.getSubscription = async () => subscribed;
"""
API = """{
    get_web_push_key: async () => ({ public_key: window.key ?? "BKey" }),
    register_device: async (args) => ((window.devices ??= []).push(args), { id: "d" + devices.length }),
    remove_device: async (args) => { (window.removed ??= []).push(args.device_id); },
}"""
# What the worker sends, in the declarative form.
PUSH = {
    "web_push": 8030, "mutable": True, "app_badge": 3,
    "notification": {
        "title": "Bob", "body": "Is it <b>still</b> there?", "navigate": "https://chat.example/", "tag": "c1", "silent": True,
        "data": {"kind": "message", "conversation_id": "c1", "message_id": "m1", "push_id": "p1"},
    },
}  # fmt: skip


LOOKED_AT = """(async () => (await self.clients.matchAll({ type: "window", includeUncontrolled: true }))
    .some((page) => page.visibilityState === "visible" && page.focused))()"""


class ServiceWorker:
    """The service worker of a page, by the browser's own protocol."""

    def __init__(self, browser, origin):
        address = browser.driver.capabilities["goog:chromeOptions"]["debuggerAddress"]
        with urllib.request.urlopen(f"http://{address}/json/version") as answer:
            self.socket = websocket.create_connection(json.load(answer)["webSocketDebuggerUrl"], suppress_origin=True, timeout=20)
        self.number, self.session, self.events, self.origin = 0, None, [], origin
        page = next(one for one in self.command("Target.getTargets")["targetInfos"] if one["type"] == "page" and one["url"].startswith(origin))
        self.page = self.attach(page)
        self.command("ServiceWorker.enable", self.page)
        # What becomes of a push: see `is_over`.
        for service in ("pushMessaging", "notifications"):
            self.command("BackgroundService.setRecording", self.page, shouldRecord=True, service=service)
            self.command("BackgroundService.startObserving", self.page, service=service)

    def attach(self, target):
        return self.command("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]

    def command(self, method, session=None, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params, **({"sessionId": session} if session else {})}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def registration(self):
        while True:
            for event in self.events:
                for one in event.get("params", {}).get("registrations", []):
                    if one["scopeURL"].startswith(self.origin) and not one["isDeleted"]:
                        return one["registrationId"]
            self.events.append(json.loads(self.socket.recv()))

    def push(self, data):
        """Delivers a push and waits until its event is over."""
        text = data if isinstance(data, str) else json.dumps(data)
        registration, before = self.registration(), len(self.events)
        self.command("ServiceWorker.deliverPushMessage", self.page, origin=self.origin, registrationId=registration, data=text)
        while not any(self.is_over(event) for event in self.events[before:]):
            self.events.append(json.loads(self.socket.recv()))

    @staticmethod
    def is_over(event):
        return event.get("params", {}).get("backgroundServiceEvent", {}).get("eventName") == "Push event completed"

    def shown(self, data):
        """
        The notifications after a push. They are asked for when it is over and not while it goes on: a notification that is
        stored and not yet on the screen is taken for one that was dismissed by whoever asks then, and is forgotten.
        """
        self.push(data)
        return self.seen(SHOWN)

    def seen(self, expression, seconds=15):
        """What the page says once it is true, without bringing the page to the front."""
        limit = time.monotonic() + seconds
        while True:
            answer = self.command("Runtime.evaluate", self.page, expression=expression, awaitPromise=True, returnByValue=True)["result"].get("value")
            if answer:
                return answer
            assert time.monotonic() < limit, f"still not: {expression}"
            time.sleep(0.05)

    def behind(self, browser):
        """The page is behind another tab. - Returns: its handle."""
        page = browser.handle
        browser.tab("about:blank")
        self.seen("document.hidden || !document.hasFocus()")
        # the page knows it a moment before its service worker is told
        until(lambda: self.run(LOOKED_AT) is False)
        return page

    def run(self, expression):
        """A value of the worker's own scope."""
        targets = self.command("Target.getTargets")["targetInfos"]
        worker = next((one for one in targets if one["type"] == "service_worker" and one["url"].startswith(self.origin)), None)
        if worker is None:
            return None
        session = self.attach(worker)
        return self.command("Runtime.evaluate", session, expression=expression, awaitPromise=True, returnByValue=True)["result"].get("value")


@pytest.fixture
def allowed(browser, worker):
    """The user has allowed notifications."""
    browser.driver.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["notifications"], "origin": worker.url})
    yield browser
    browser.driver.execute_cdp_cmd("Browser.resetPermissions", {})
    browser.js("(localStorage.removeItem('parley-push-device'), localStorage.removeItem('parley-push-user'), true)")


NOTES = "(await (await navigator.serviceWorker.ready).getNotifications()).map(({ title, body, tag, silent, data }) => ({ title, body, tag, silent, data }))"
SHOWN = f"(async () => {{ const all = {NOTES}; return all.length && all; }})()"


def test_a_push_is_shown_and_its_click_opens_the_conversation(allowed, worker, people, talk):
    browser = allowed
    alice, _ = people
    enter(browser, worker, alice)
    browser.js("navigator.serviceWorker.ready.then(() => true)")
    service = ServiceWorker(browser, worker.url)
    push = {**PUSH, "notification": {**PUSH["notification"], "tag": talk, "data": {"conversation_id": talk}}}

    # A page that is looked at shows the message itself.
    browser.js("(window.focus(), true)")
    if browser.js("document.hasFocus()"):
        service.push(push)
        assert browser.js(f"(async () => {NOTES})()") == []
    # Behind another tab it does not.
    page = service.behind(browser)
    said = service.shown(push)
    assert said == [{"title": "Bob", "body": "Is it <b>still</b> there?", "tag": talk, "silent": True, "data": {"conversation_id": talk}}]

    browser.switch(page)
    # The click is the browser's own to make; the event is as it makes it.
    service.run("self.registration.getNotifications().then(([notification]) => void self.dispatchEvent(new NotificationEvent('notificationclick', { notification })))")
    browser.until("$('parley-thread').conversation === args[0] && $('parley-thread', '.row .text')?.textContent === 'Hello Alice'", talk)
    browser.until(f"(async () => {NOTES}.length === 0)()")


def test_whatever_comes_is_shown(allowed, worker, people):
    """A browser that shows nothing for a push may take the permission away."""
    browser = allowed
    alice, _ = people
    enter(browser, worker, alice)
    browser.js("navigator.serviceWorker.ready.then(() => true)")
    service = ServiceWorker(browser, worker.url)
    page = service.behind(browser)
    for data, expected in (("no JSON", ["New message", "no JSON"]), ("{}", ["New message", ""])):
        notes = service.shown(data)
        assert [notes[-1]["title"], notes[-1]["body"]] == expected
        service.seen("navigator.serviceWorker.ready.then((one) => one.getNotifications()).then((all) => (all.forEach((one) => one.close()), true))")
        service.seen(f"(async () => {NOTES}.length === 0)()")
    browser.switch(page)


def settings(fixture):
    fixture.js("$('parley-inbox', 'button[aria-label=Settings]').click()")
    fixture.until("$('parley-inbox', 'dialog')")


TICK = "[...$('parley-inbox', 'dialog').querySelectorAll('label.line')].find((one) => one.textContent.includes('Notify me'))?.querySelector('input')"


@pytest.fixture
def subscribed(allowed, fixture):
    """The settings of a user who has switched pushes on."""
    # the page has no service worker of its own: one is lent to it
    fixture.js(f"(() => {{ {SUBSCRIBE} return true; }})()")
    fixture.js("import('../components/index.js').then(({ usePushWorker }) => usePushWorker({ pushManager: Object.create(PushManager.prototype) })).then(() => true)")
    fixture.js(f"(show({{ api: {API} }}), true)")
    settings(fixture)
    fixture.until(f"{TICK} && !{TICK}.checked")
    fixture.js(f"({TICK}.click(), true)")
    fixture.until(f"window.devices && {TICK}.checked && !{TICK}.disabled")
    return fixture


def renew(fixture, parley="fake"):
    fixture.js(f"import('../components/index.js').then(({{ renewPush }}) => renewPush({parley})).then(() => true)")


def test_the_settings_register_this_browser_and_take_it_away(subscribed, worker):
    fixture = subscribed
    [device] = fixture.js("devices")
    assert fixture.until(f"localStorage.getItem('parley-push-device') === 'd1' && {TICK}.checked")
    assert {key: device[key] for key in ("provider", "app_id", "token", "keys", "platform")} == {
        "provider": "webpush", "app_id": worker.url, "token": "https://push.example/one", "keys": {"p256dh": "key", "auth": "secret"}, "platform": "web",
    }  # fmt: skip
    assert fixture.js("asked") == {"userVisibleOnly": True, "applicationServerKey": "BKey"}
    # At the next start the browser may be reached elsewhere.
    fixture.js("(window.endpoint = 'https://push.example/two', true)")
    renew(fixture)
    assert fixture.js("devices.at(-1).token") == "https://push.example/two"
    # Signing out takes it away, without an answer as well.
    fixture.js("[...$('parley-inbox', 'dialog').querySelectorAll('button')].find((one) => one.textContent === 'Sign out').click()")
    fixture.until("$('parley-inbox', '[data-confirm]')")
    fixture.js("$('parley-inbox', '[data-confirm]').click()")
    fixture.until("fake.state.asked.some(([name]) => name === 'signOut')")
    assert fixture.js("[removed, subscribed, localStorage.getItem('parley-push-device')]") == [["d2"], None, None]


def test_pushes_are_switched_off_in_the_settings(subscribed):
    subscribed.js(f"({TICK}.click(), true)")
    subscribed.until(f"window.removed && !{TICK}.checked && !{TICK}.disabled")
    assert subscribed.js("[removed, window.subscribed, localStorage.getItem('parley-push-device')]") == [["d1"], None, None]
    renew(subscribed)
    assert subscribed.js("devices.length") == 1


def test_the_next_user_of_a_browser_is_not_pushed_to_unasked(subscribed):
    renew(subscribed, "Object.assign(Object.create(fake), { userId: 'somebody else' })")
    assert subscribed.js("[devices.length, window.subscribed, localStorage.getItem('parley-push-device')]") == [1, None, None]


def test_with_a_new_key_of_the_server_the_browser_subscribes_anew(subscribed):
    subscribed.js("(window.key = 'BNew', window.endpoint = 'https://push.example/new', true)")
    # a client asks for the key once: this is the next start
    renew(subscribed, "Object.assign(Object.create(fake), {})")
    assert subscribed.js("[asked.applicationServerKey, devices.length, devices.at(-1).token]") == ["BNew", 2, "https://push.example/new"]
    # with the same key it stays
    subscribed.js("(window.asked = null, true)")
    renew(subscribed, "Object.assign(Object.create(fake), {})")
    assert subscribed.js("[asked, devices.length]") == [None, 3]


@pytest.mark.parametrize("answer", ["{ public_key: null }", "null", "Promise.reject(Object.assign(new Error('no'), { status: 404, code: 'PT404' }))"])
def test_without_a_key_of_the_server_no_push_is_offered(allowed, fixture, answer):
    fixture.js("import('../components/index.js').then(({ usePushWorker }) => usePushWorker({ pushManager: Object.create(PushManager.prototype) })).then(() => true)")
    fixture.js(f"(show({{ api: {{ get_web_push_key: async () => {answer} }} }}), true)")
    settings(fixture)
    fixture.until("[...$('parley-inbox', 'dialog').querySelectorAll('h3')].length > 0")
    fixture.js("new Promise((done) => setTimeout(done, 300))")
    assert fixture.js(f"{TICK} ?? null") is None
