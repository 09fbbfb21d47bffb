"""Opens the status page in Chromium, over its debugging pipe, and looks at what is there.

Called by tests/page/run: FOLDER NATSSL [--save]
"""

import base64
import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

FOLDER, NATSSL = pathlib.Path(sys.argv[1]), sys.argv[2]
SAVE = "--save" in sys.argv
ROOT = FOLDER / "root"
PATIENCE = 120
TOKEN = "planted-token-0123456789"
# Text that would be markup anywhere else. The configuration allows no spaces in names.
NAME = "<img/src=x/onerror=document.title=1>" if not SAVE else "nats1.example.org"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-pipe", "--window-size=1200,1000",
    "--force-color-profile=srgb",
]
passed = failed = 0


def check(name, good, shown=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: {name}\n    {shown}")


class Browser:
    """One Chromium with one page."""

    def __init__(self):
        profile = tempfile.mkdtemp(prefix="profile-", dir=ROOT / "site")
        inside = "/" + str(pathlib.Path(profile).relative_to(ROOT))
        (read, far_write), (far_read, write) = os.pipe(), os.pipe()

        def pipes():
            # Chromium reads commands from 3 and writes answers to 4. Away first: they may be 3 or 4.
            a, b = os.dup(far_read), os.dup(far_write)
            os.dup2(a, 63), os.dup2(b, 64)
            os.dup2(63, 3), os.dup2(64, 4)

        self.process = subprocess.Popen(
            [shutil.which("chroot"), ROOT, "/usr/lib/chromium/chromium", *FLAGS, f"--user-data-dir={inside}", "about:blank"],
            env={"PATH": "/usr/bin", "HOME": inside, "LANG": "C.UTF-8"},
            stdout=subprocess.DEVNULL, stderr=open(FOLDER / "log", "wb"), preexec_fn=pipes, close_fds=False)
        os.close(far_read), os.close(far_write)
        self.read, self.write, self.rest, self.number = read, write, b"", 0
        self.events, self.session = [], None
        page, end = None, time.monotonic() + PATIENCE
        while not page:
            if time.monotonic() > end:
                raise TimeoutError("Chromium opens no page")
            targets = self.call("Target.getTargets")["targetInfos"]
            page = next((t["targetId"] for t in targets if t["type"] == "page"), None)
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def message(self, end):
        while b"\0" not in self.rest:
            left = end - time.monotonic()
            ready = select.select([self.read], [], [], max(0, left))[0]
            if not ready:
                raise TimeoutError("Chromium says nothing")
            more = os.read(self.read, 1 << 20)
            if not more:
                raise EOFError(f"Chromium is gone: {(FOLDER / 'log').read_text(errors='replace')[-2000:]}")
            self.rest += more
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **parameters):
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.write, json.dumps(command).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            message = self.message(end)
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, url):
        self.events.clear()
        self.call("Page.navigate", url=url)

    def until(self, name, expression, patience=PATIENCE):
        """Waits for something that becomes true; its value."""
        end = time.monotonic() + patience
        while True:
            try:
                value = self.value(expression)
            except RuntimeError as error:
                value, last = None, error
            else:
                last = value
            if value:
                check(name, True)
                return value
            if time.monotonic() > end:
                check(name, False, f"{expression}: {last}; {self.text()}")
                return value
            time.sleep(0.05)

    def text(self):
        return self.value("document.body.innerText")

    def picture(self, path):
        height = self.value("document.documentElement.scrollHeight")
        width = self.value("document.documentElement.clientWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def addresses(self):
        sent = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("data:", "about:"))]

    def complaints(self):
        logged = [e["params"]["entry"]["text"] for e in self.events if e["method"] == "Log.entryAdded"]
        thrown = [str(e["params"]["exceptionDetails"]) for e in self.events if e["method"] == "Runtime.exceptionThrown"]
        return logged + thrown

    def close(self):
        with contextlib.suppress(Exception):
            self.session = None
            self.call("Browser.close")
        self.process.kill()
        self.process.wait()


class Server:
    """A natssl with a configuration; its ports are read from its log."""

    def __init__(self, folder, text):
        (folder / "c.conf").write_text(f'listen: "127.0.0.1:-1"\nhttp: "127.0.0.1:-1"\n{text}\n')
        self.log = folder / "log"
        self.process = subprocess.Popen(
            [NATSSL, "-c", folder / "c.conf"], cwd=folder, stdin=subprocess.DEVNULL, stderr=open(self.log, "wb"))
        end = time.monotonic() + PATIENCE
        while "Server is ready" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(self.log.read_text())
            time.sleep(0.02)
        port = lambda words: int(re.search(words + r".*:(\d+)$", self.log.read_text(), re.M).group(1))
        self.port, self.url = port("client connections on"), f"http://127.0.0.1:{port('http monitor on')}"

    def close(self):
        self.process.terminate()
        self.process.wait()


class Client:
    """A NATS client over TLS, as far as this test needs one."""

    def __init__(self, server, version=ssl.TLSVersion.TLSv1_3, curve=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        if curve:
            context.set_ecdh_curve(curve)
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        plain.recv(4096)
        self.socket = context.wrap_socket(plain)
        self.socket.sendall(b'CONNECT {"verbose":false}\r\nSUB busy 1\r\nPING\r\n')
        seen = b""
        while b"PONG" not in seen:
            more = self.socket.recv(4096)
            if not more:
                raise EOFError(f"no PONG after {seen!r}")
            seen += more
        self.socket.settimeout(0)
        self.seen = b""

    def publish(self, count):
        """Also takes in what is there, and answers. From one thread only."""
        with contextlib.suppress(ssl.SSLWantReadError):
            while more := self.socket.recv(1 << 16):
                self.seen = (self.seen + more)[-64:]
                if b"PING\r\n" in self.seen:
                    self.seen = b""
                    self.send(b"PONG\r\n")
        self.send((b"PUB busy 32\r\n" + b"x" * 32 + b"\r\n") * count)

    def send(self, data):
        self.socket.settimeout(PATIENCE)
        self.socket.sendall(data)
        self.socket.settimeout(0)


def pki(folder):
    run = lambda *args: subprocess.run([NATSSL, "pki", *args], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    run("init", "--name", "Example CA")
    run("server", "nats1.example.org", "localhost", "127.0.0.1")
    run("server", "edge.example.org", "--days", "20", "--key", "rsa2048")
    return folder / "pki"


def traffic(server, clients, stop):
    step = 0
    while not stop.is_set():
        step += 1
        with contextlib.suppress(OSError):
            for i, client in enumerate(clients):
                client.publish(20 + 15 * (step // 12 % 5) if i == step % len(clients) else 0)
        stop.wait(0.04)


def live(browser, folder):
    keys = pki(folder)
    server = Server(folder, f"""server_name: "{NAME}"
tls {{
  cert_file: "{keys}/nats1.example.org-cert.pem", key_file: "{keys}/nats1.example.org-key.pem", timeout: 20
  server_names: [{{ names: "edge.example.org"
    cert_file: "{keys}/edge.example.org-cert.pem", key_file: "{keys}/edge.example.org-key.pem" }}]
}}""")
    stop = threading.Event()
    try:
        v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        kinds = [(v13, None)] * 5 + [(v13, "secp384r1"), (v12, None), (v12, "prime256v1")]
        clients = [Client(server, *kind) for kind in kinds]
        # One that offers nothing the server has.
        with contextlib.suppress(ssl.SSLError, OSError):
            Client(server, v13, "secp224r1")
        for _ in range(2):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port)) as plain:
                plain.recv(4096)
                plain.sendall(b"PING\r\n")
                plain.recv(1)
        threading.Thread(target=traffic, args=(server, clients, stop), daemon=True).start()
        browser.open(server.url + "/")
        browser.until("the page comes alive", "!document.getElementById('live').hidden")
        browser.until("the name is text", f"document.getElementById('name').textContent === {json.dumps(NAME)}")
        check("no markup came of it", browser.value("document.images.length") == 0 and browser.value("document.title") != "1")
        # The page asks the server now and then: what it shows may be of a moment ago.
        tiles = "[...document.querySelectorAll('.tile')].map(e => [...e.children].map(c => c.textContent).reverse())"
        browser.until("connections", f"new Map({tiles}).get('connections') === '8'")
        said = ("TLS 1.3", "TLS 1.2", "X25519", "CurveP384", "ECDSA+SHA256", "not tls", "CN=nats1.example.org",
                "CN=edge.example.org", "edge.example.org", "client", "certificate expiry", "1 alarm")
        browser.until("the page says it all", f"{json.dumps(said)}.every(words => document.body.innerText.includes(words))")
        text = browser.text()
        for words in said:
            check(f"the page says {words}", words in text, text)
        check("days left", re.search(r"\b(19|20)\b", text) and re.search(r"\b39[67]\b", text), text)
        rate = "[...document.querySelectorAll('#messages .legend span')].map(e => e.textContent)"
        browser.until("rates move", f"(() => {{ const r = {rate}; return r.length && !/ 0$/.test(r[0]) && !/ 0$/.test(r[1]); }})()")
        browser.until("charts are drawn", "document.querySelectorAll('#messages polyline')[0].points.length >= 3")
        if SAVE:
            browser.until("a minute of history", "document.querySelectorAll('#messages polyline')[0].points.length >= 60", 300)
        links = browser.value("[...document.querySelectorAll('nav a')].map(a => [a.getAttribute('href'), a.textContent])")
        for href, words in (("./varz", "General /varz"), ("./healthz", "Health Probe /healthz"), ("./metrics", "Metrics /metrics")):
            check(f"link {href}", [href, words] in links, links)
        check("nothing is asked elsewhere", all(url.startswith(server.url + "/") for url in browser.addresses()), browser.addresses())
        check("the browser complains of nothing", browser.complaints() == [], browser.complaints())
        browser.picture(FOLDER / "status-page.png")
        # The policy: what is not named by its hash does not run, and nothing is sent elsewhere.
        browser.value("""(() => { const s = document.createElement('script');
            try { s.textContent = 'document.title = "run"'; } catch { return; } document.body.append(s); })()""")
        check("a foreign script does not run", browser.value("document.title") != "run")
        refused = browser.value("fetch('http://localhost:9/').then(() => 'sent', error => String(error))")
        check("nothing is sent elsewhere", "TypeError" in refused and any("Content Security Policy" in c for c in browser.complaints()),
              (refused, browser.complaints()))
        width = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        browser.call("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=False)
        check("fits a telephone", browser.value(width))
        browser.picture(FOLDER / "narrow.png")
        browser.call("Emulation.clearDeviceMetricsOverride")
        browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        browser.picture(FOLDER / "dark.png")
        browser.call("Emulation.setEmulatedMedia", features=[])
        server.close()
        browser.until("a server that is gone is told", "document.getElementById('state').textContent === 'no answer'")
    finally:
        stop.set()
        server.close()


def guarded(browser, folder):
    (folder / "tokens").write_text(TOKEN + "\n")
    server = Server(folder, f"""http_base_path: "/nats"
monitoring {{ token_file: "{folder}/tokens", open: "/" }}""")
    try:
        browser.open(server.url + "/nats")
        browser.until("a token is asked for", "!document.getElementById('login').hidden")
        check("nothing is shown before", browser.value("document.getElementById('live').hidden"))
        enter = "document.getElementById('token').value = {}; document.querySelector('#login button').click()"
        browser.value(enter.format(json.dumps("wrong-token-0123456789")))
        time.sleep(2.5)
        check("a wrong one shows nothing", browser.value("document.getElementById('live').hidden"))
        browser.value(enter.format(json.dumps(TOKEN)))
        browser.until("the token opens", "!document.getElementById('live').hidden")
        check("the field is empty again", browser.value("document.getElementById('token').value") == "")
        check("under the base path", all(url.startswith(server.url + "/nats") for url in browser.addresses()), browser.addresses())
        check("no secret in the log", TOKEN not in server.log.read_text())
    finally:
        server.close()


def main():
    (ROOT / "site").mkdir(exist_ok=True)
    browser = Browser()
    try:
        for part in (live, guarded):
            with tempfile.TemporaryDirectory() as folder:
                part(browser, pathlib.Path(folder))
    finally:
        browser.close()
        for profile in (ROOT / "site").glob("profile-*"):
            shutil.rmtree(profile, ignore_errors=True)
    if SAVE and not failed:
        shutil.copy(FOLDER / "status-page.png", "docs/status-page.png")
    print(f"tests/page/run: {passed} checks passed, {failed} failed; pictures are in {os.path.relpath(FOLDER)}")
    sys.exit(1 if failed else 0)


main()
