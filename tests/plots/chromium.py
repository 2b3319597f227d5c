"""A headless Chromium that tests click through: its DevTools protocol over two pipes, with no further package."""

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
# The browser reads commands from file 3 and writes answers to file 4; 100 and more are out of the way of both.
START = ("import fcntl, os, sys; r, w = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 100) for n in sys.argv[1:3]); "
         "os.dup2(r, 3); os.dup2(w, 4); os.execvp(sys.argv[3], sys.argv[3:])")
PATIENCE = 60  # seconds for one answer
KEYS = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


def installed():
    """Return the browser's path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Chromium:
    """One page; `asked` are the addresses that it loaded or tried to, `said` its errors."""

    def __init__(self, profile, width=1400, height=900):
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        self._browser = subprocess.Popen(
            [sys.executable, "-c", START, str(commands), str(answers), installed(), *FLAGS,
             f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"],
            pass_fds=(commands, answers), stderr=subprocess.DEVNULL)
        os.close(commands)
        os.close(answers)
        self._number, self._session, self._left = 0, None, b""
        self.asked, self.said = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def close(self):
        os.close(self._commands)  # which is its sign to leave
        try:
            self._browser.wait(10)
        except subprocess.TimeoutExpired:
            self._browser.kill()
            self._browser.wait()
        os.close(self._answers)

    def call(self, method, **parameters):
        """Return the result of one command."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        message = json.dumps({"id": self._number, "method": method, "params": parameters, **session}).encode() + b"\0"
        while message:
            message = message[os.write(self._commands, message):]
        return self._until(lambda heard: heard.get("id") == self._number)

    def open(self, address):
        self.asked, self.said = [], []
        self.call("Page.navigate", url=address)
        self._until(lambda heard: heard.get("method") == "Page.loadEventFired")

    def _until(self, wanted):
        end = time.monotonic() + PATIENCE
        while True:
            while b"\0" not in self._left:
                if not select.select([self._answers], [], [], max(end - time.monotonic(), 0))[0]:
                    raise TimeoutError("the browser does not answer")
                heard = os.read(self._answers, 1 << 16)
                if not heard:
                    raise ConnectionError("the browser has ended")
                self._left += heard
            message, self._left = self._left.split(b"\0", 1)
            heard = json.loads(message)
            self._note(heard)
            if wanted(heard):
                if "error" in heard:
                    raise RuntimeError(heard["error"]["message"])
                return heard.get("result", {})

    def _note(self, heard):
        details = heard.get("params", {})
        if heard.get("method") == "Network.requestWillBeSent":
            self.asked.append(details["request"]["url"])
        elif heard.get("method") == "Runtime.exceptionThrown":
            self.said.append(details["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        elif heard.get("method") == "Log.entryAdded" and details["entry"]["level"] == "error":
            self.said.append(details["entry"]["text"])

    def value(self, expression):
        """Return the value of a JavaScript expression."""
        heard = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in heard:
            raise AssertionError(heard["exceptionDetails"]["exception"].get("description", expression))
        return heard["result"].get("value")

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
        number = KEYS.get(key, ord(key[0].upper()))
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=number, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=number)

    def type(self, arguments):
        self.call("Input.insertText", text=arguments)

    def prefer(self, scheme):
        """Make the reader one who prefers "light" or "dark"."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self):
        """Return a screenshot as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])
