"""A headless Chromium, told what to do by its DevTools protocol over a pair of pipes, so that nothing but the
browser is needed.

    with chromium.Browser(directory) as browser:
        page = browser.page(390, 844, dark=True)
        page.open("http://127.0.0.1:9187/")
        page.wait("document.title !== ''")
        page.screenshot("page.png")
        page.complaints        what the console said: errors, exceptions, violations of the policy
"""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")


def path():
    """Where the browser is, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    def __init__(self, directory):
        self.directory = tempfile.mkdtemp(prefix="walferry-chromium-")
        self.log = open(os.path.join(directory, "chromium.log"), "wb")
        self.buffer, self.number, self.pages = b"", 0, {}
        down_read, self.down = os.pipe()
        self.up, up_write = os.pipe()

        def pipes():  # the browser reads 3 and writes 4
            low = os.dup2(down_read, 100), os.dup2(up_write, 101)
            os.dup2(low[0], 3)
            os.dup2(low[1], 4)

        self.process = subprocess.Popen(
            [path(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-extensions", "--disable-background-networking", "--disable-component-update",
             "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-pipe",
             "--user-data-dir=" + self.directory, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=pipes, close_fds=False,
            start_new_session=True)
        os.close(down_read)
        os.close(up_write)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # the session that was made for it
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self.down)
        os.close(self.up)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _read(self, seconds):
        """One message of the browser, or None."""
        deadline = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.up], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                return None
            got = os.read(self.up, 1 << 20)
            if not got:
                raise AssertionError("the browser has ended: see %s" % self.log.name)
            self.buffer += got
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def _note(self, message):
        page = self.pages.get(message.get("sessionId"))
        if page is not None and "method" in message:
            page.note(message["method"], message["params"])

    def call(self, method, session=None, timeout=30, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.down, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read(timeout)
            assert answer is not None, "%s: no answer within %d s" % (method, timeout)
            if answer.get("id") == self.number:
                assert "error" not in answer, "%s: %s" % (method, answer["error"])
                return answer["result"]
            self._note(answer)

    def pump(self, seconds):
        """Listens for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self._read(max(0, deadline - time.monotonic()))
            if message is not None:
                self._note(message)

    def page(self, width, height, dark=False):
        return Page(self, width, height, dark)


class Page:
    def __init__(self, browser, width, height, dark):
        self.browser, self.complaints = browser, []
        self.width, self.height = width, height
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.target = target
        browser.pages[self.session] = self
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")
        self.resize(width, height)
        self.scheme(dark)

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)

    def note(self, method, params):
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append("%(level)s: %(text)s" % params["entry"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append("console: %s" % params["args"])

    def resize(self, width, height):
        self.width, self.height = width, height
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)

    def scheme(self, dark):
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait("location.href === %s && document.readyState === 'complete'" % json.dumps(url))

    def run(self, script):
        """The value of a script, promises waited for."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, "%s: %s" % (script[:200], result["exceptionDetails"])
        return result["result"].get("value")

    def wait(self, script, seconds=30):
        deadline = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < deadline, "not within %d s: %s" % (seconds, script)
            self.browser.pump(0.2)

    def key(self, name, code):
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code,
                      **({"text": "\r"} if name == "Enter" and kind == "rawKeyDown" else {}))

    def screenshot(self, file, whole=True, height_max=4000):
        """whole: all of the page, else what is seen."""
        height = self.height
        if whole:
            height = min(int(self.run("document.documentElement.scrollHeight")), height_max)
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip={
            "x": 0, "y": 0, "width": self.width, "height": height, "scale": 1})
        with open(file, "wb") as out:
            out.write(base64.b64decode(shot["data"]))
