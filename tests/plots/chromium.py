"""A headless Chromium for tests of the pages: its DevTools protocol over two pipes, without further packages."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe")
# The browser reads commands from file descriptor 3 and writes responses to 4; 100 and above collide with neither.
START = ("import fcntl, os, sys; r, w = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 100) for n in sys.argv[1:3]); "
         "os.dup2(r, 3); os.dup2(w, 4); os.execvp(sys.argv[3], sys.argv[3:])")
PATIENCE = 60  # seconds for one response
KEYS = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


def find_browser():
    """Return the browser's path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One page; `requested_urls` are the URLs that it loaded or tried to load, `errors` its error messages."""

    def __init__(self, profile, width=1400, height=900):
        commands, self._commands = os.pipe()
        self._responses, responses = os.pipe()
        self._browser = subprocess.Popen(
            [sys.executable, "-c", START, str(commands), str(responses), find_browser(), *FLAGS,
             f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"],
            pass_fds=(commands, responses), stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(responses)
        self._call_id, self._session, self._buffer = 0, None, b""
        self.requested_urls, self.errors = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def close(self):
        os.close(self._commands)  # the browser's signal to exit
        try:
            self._browser.wait(10)
        except subprocess.TimeoutExpired:
            self._browser.kill()
            self._browser.wait()
        os.close(self._responses)

    def call(self, method, **parameters):
        """Return the result of one command."""
        self._call_id += 1
        session = {"sessionId": self._session} if self._session else {}
        message = json.dumps({"id": self._call_id, "method": method, "params": parameters, **session}).encode() + b"\0"
        while message:
            message = message[os.write(self._commands, message):]
        return self._until(lambda message_received: message_received.get("id") == self._call_id)

    def open(self, address):
        self.requested_urls, self.errors = [], []
        self.call("Page.navigate", url=address)
        self._until(lambda message_received: message_received.get("method") == "Page.loadEventFired")

    def _until(self, is_match):
        end = time.monotonic() + PATIENCE
        while True:
            while b"\0" not in self._buffer:
                if not select.select([self._responses], [], [], max(end - time.monotonic(), 0))[0]:
                    raise TimeoutError("the browser does not answer")
                received = os.read(self._responses, 1 << 16)
                if not received:
                    raise ConnectionError("the browser has ended")
                self._buffer += received
            message, self._buffer = self._buffer.split(b"\0", 1)
            received = json.loads(message)
            self._note(received)
            if is_match(received):
                if "error" in received:
                    raise RuntimeError(received["error"]["message"])
                return received.get("result", {})

    def _note(self, received):
        details = received.get("params", {})
        if received.get("method") == "Network.requestWillBeSent":
            self.requested_urls.append(details["request"]["url"])
        elif received.get("method") == "Runtime.exceptionThrown":
            self.errors.append(details["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        elif received.get("method") == "Log.entryAdded" and details["entry"]["level"] == "error":
            self.errors.append(details["entry"]["text"])

    def value(self, expression):
        """Return the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(result["exceptionDetails"]["exception"].get("description", expression))
        return result["result"].get("value")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x, y):
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)

    def drag(self, start, end):
        self.mouse("mousePressed", *start, button="left", buttons=1, clickCount=1)
        for fraction in (0.3, 0.6, 1.0):
            self.mouse("mouseMoved", *(a + (b - a) * fraction for a, b in zip(start, end, strict=True)), button="left",
                       buttons=1)
        self.mouse("mouseReleased", *end, button="left", clickCount=1)

    def press(self, key):
        """Press a key: a letter, or a name of KEYS."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        key_code = KEYS.get(key, ord(key[0].upper()))
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=key_code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=key_code)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def prefer(self, scheme):
        """Emulate a reader who prefers "light" or "dark"."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self):
        """Return a screenshot as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])
